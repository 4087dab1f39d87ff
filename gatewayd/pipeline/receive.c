#include "pipeline/receive.h"

#include "common/deadline.h"
#include "common/log.h"
#include "pipeline/even.h"
#include "pipeline/metrics.h"
#include "smtp/address.h"

static bool is_ascii(struct sg_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.data[i] >= 0x80)
            return false;
    return true;
}

bool sg_receive_begin(struct sg_message *m, struct sg_gateway *gw, const char *direction,
                      struct sg_smtp_transaction *t, struct sg_error *err)
{
    *m = (struct sg_message){
        .gw = gw,
        .arena = t->arena,
        .direction = direction,
        .now = sg_clock_now(),
        .began = sg_even_now(),
        .until = sg_deadline_in(gw->message_ms),
        .queue_id = t->xforward.ident,
        .sender = sg_address_normalise(t->arena, t->sender),
        .return_path = t->sender,
        .client_address = t->xforward.addr,
        .client_name = t->xforward.name,
        .body_8bit = t->body_8bit,
        .body = t->body,
        .rcpts = SG_ARENA_ARRAY(t->arena, struct sg_rcpt, t->recipient_count + 1),
        .rcpt_count = t->recipient_count,
    };
    sg_trace_init(&m->trace);
    for (size_t i = 0; i < t->recipient_count; i++) {
        struct sg_rcpt *r = &m->rcpts[i];
        r->index = i;
        r->address = t->recipients[i].address;
        r->normalised = sg_address_normalise(t->arena, r->address);
        r->domain = sg_address_domain(r->normalised);
        r->remote = r->verdict = r->code = r->outcome = "";
        if (!r->domain)
            return sg_fail(err, SG_E_INVALID, "a recipient without a domain");
    }
    if (!sg_header_read(t->arena, t->body, 0, sg_spool_size(t->body), &gw->headers, &m->headers,
                        err))
        return false;
    m->smtputf8 = t->smtputf8 && !is_ascii(m->headers.raw);
    return true;
}

void sg_receive_end(struct sg_message *m)
{
    sg_message_sent_release(m);
    sg_trace_free(&m->trace);
}

bool sg_receive_register(struct sg_message *m, struct sg_error *err)
{
    if (!atomic_load(&m->gw->replayed))
        return sg_fail(err, SG_E_BUSY, "the journal of the last run is being replayed");
    if (!sg_registry_enter(m->gw->registry, m->direction, m->queue_id, m->tenant, &m->entry, err))
        return false;
    m->msg_id = sg_arena_strdup(m->arena, m->entry->msg_id.text);
    m->received_at = m->entry->received_at;
    for (size_t i = 0; i < m->rcpt_count; i++) {
        struct sg_rcpt *r = &m->rcpts[i];
        const char *refusal;
        r->settled = sg_registry_settled(m->entry, r->normalised, &refusal);
        if (refusal)
            sg_smtp_reply_set(&r->reply, 550, "5.7.1", "%s", refusal);
        else if (r->settled)
            sg_smtp_reply_set(&r->reply, 250, "2.0.0", "%s was seen to before", m->msg_id);
    }
    if (sg_message_record_received(m, err))
        return true;
    sg_registry_leave(m->gw->registry, m->entry);
    m->entry = NULL;
    return false;
}

bool sg_receive_checkpoint(struct sg_message *m, struct sg_error *err)
{
    if (!sg_message_unfinished(m))
        return true;
    return m->settle ? m->settle(m, m->settle_ctx, err)
                     : !m->entry || sg_message_record_outcome(m, err);
}

static void unfinished_defer(struct sg_message *m)
{
    struct sg_error err = {0};
    sg_fail(&err, SG_E_INTERNAL, "nothing was decided");
    for (size_t i = 0; i < m->rcpt_count; i++)
        if (!m->rcpts[i].settled && !m->rcpts[i].decided)
            sg_rcpt_defer(&m->rcpts[i], &err);
}

void sg_receive_finish(struct sg_message *m)
{
    struct sg_error err = {0};
    unfinished_defer(m);
    if (!sg_message_record_outcome(m, &err)) {
        sg_log_error(SG_LOG_ERROR, "journal.failed", &err, "msg_id", m->msg_id, "tenant", m->tenant,
                     NULL);
        for (size_t i = 0; i < m->rcpt_count; i++)
            if (!m->rcpts[i].settled)
                sg_rcpt_defer(&m->rcpts[i], &err);
    }
    sg_registry_leave(m->gw->registry, m->entry);
    m->entry = NULL;
}

static bool final(const struct sg_smtp_transaction *t, const struct sg_smtp_reply *replies)
{
    for (size_t i = 0; i < t->recipient_count; i++)
        if (replies[i].code / 100 != 2 && replies[i].code / 100 != 5)
            return false;
    return true;
}

void sg_receive_guarded(enum sg_crash_kind kind,
                        void (*message)(struct sg_gateway *gw, struct sg_smtp_transaction *t,
                                        struct sg_smtp_reply *replies),
                        void *gateway, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    struct sg_error err = {0};
    if (!sg_crash_begin(kind, t->xforward.ident, NULL, &err)) {
        for (size_t i = 0; i < t->recipient_count; i++) /* its operator reads why in the queue */
            sg_smtp_reply_set(&replies[i], 451, "4.3.0", "%s", err.detail);
        return;
    }
    message(gateway, t, replies);
    sg_crash_end(final(t, replies));
}

void sg_reply_all(struct sg_smtp_transaction *t, struct sg_smtp_reply *replies,
                  const struct sg_error *err, bool peers_fault)
{
    for (size_t i = 0; i < t->recipient_count; i++) {
        sg_smtp_reply_error(&replies[i], err);
        if (!peers_fault && replies[i].code / 100 != 4)
            sg_smtp_reply_set(&replies[i], 451, "4.3.0", "try again later");
    }
}

/* What Postfix "in" hands over is inbound, its own reports too. */
void sg_receive_answered(void *gateway, const struct sg_smtp_transaction *t,
                         const struct sg_smtp_reply *replies, size_t count)
{
    (void)gateway;
    bool outbound = strcmp(t->listener->name, "outbound") == 0;
    for (size_t i = 0; i < count; i++)
        if (replies[i].code / 100 != 2 && replies[i].code / 100 != 5)
            sg_count_recipient(outbound ? "outbound" : "inbound", "deferred", "", "");
}
