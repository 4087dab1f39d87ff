/* A held message is tried again by the same rules; it never goes in a weaker form than they want.
 */
#include "common/log.h"
#include "hold/hold.h"
#include "pipeline/keep.h"
#include "pipeline/outbound.h"
#include "pipeline/retry.h"
#include "schema/held.h"
#include "smtp/address.h"

#define CLAIM_AT_ONCE 16
#define LEASE_MS      300000

/* The held message as a message of the pipeline. */
static bool message_begin(struct sg_message *m, struct sg_gateway *gw, struct sg_arena *arena,
                          const struct sg_held_row *row, const struct sg_spool *body,
                          struct sg_error *err)
{
    *m = (struct sg_message){.gw = gw,
                             .arena = arena,
                             .direction = row->direction,
                             .tenant = row->tenant_id,
                             .msg_id = row->msg_id,
                             .received_at = row->received_at,
                             .now = sg_clock_now(),
                             .queue_id = row->queue_id,
                             .sender = row->sender,
                             .client_address = "",
                             .client_name = "",
                             .body = body,
                             .rcpts =
                                 SG_ARENA_ARRAY(arena, struct sg_rcpt, row->recipient_count + 1),
                             .rcpt_count = row->recipient_count};
    sg_trace_init(&m->trace);
    for (size_t i = 0; i < row->recipient_count; i++) {
        struct sg_rcpt *r = &m->rcpts[i];
        r->index = i;
        r->address = row->recipients[i];
        r->normalised = sg_address_normalise(arena, r->address);
        r->domain = row->recipient_domain;
        r->remote = r->verdict = r->code = r->outcome = "";
        for (const unsigned char *c = (const unsigned char *)r->address; *c; c++)
            m->smtputf8 |= *c >= 0x80;
    }
    return sg_header_read(arena, body, 0, sg_spool_size(body), &gw->headers, &m->headers, err);
}

static struct sg_outbound_group group_all(struct sg_message *m)
{
    struct sg_outbound_group g = {.domain = m->rcpts[0].domain, .count = m->rcpt_count};
    g.rcpts = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count + 1);
    for (size_t i = 0; i < m->rcpt_count; i++)
        g.rcpts[i] = &m->rcpts[i];
    return g;
}

/* The time is up: FAILURE to the sender, then it ends. */
static bool expire(struct sg_message *m, const struct sg_held_row *row, struct sg_outbound_group *g,
                   struct sg_error *err)
{
    struct sg_notice_content content;
    bool finished;
    for (size_t i = 0; i < g->count; i++) {
        sg_rcpt_decide(g->rcpts[i], "expired", "", row->reason);
        sg_smtp_reply_set(&g->rcpts[i]->reply, 550, "5.4.7", "expired");
        g->rcpts[i]->remote = row->explanation;
    }
    sg_notice_content_of(m, "failure", row->reason, g->rcpts, g->count, &content);
    if (*m->sender && !sg_keep_notice(m, row->domain_id, m->sender, &content, err))
        return false;
    sg_trace_add(&m->trace, "hold-expired", "REQ-56", "held", row->id, NULL);
    return sg_message_record_outcome(m, NULL, err) &&
           sg_held_finish(m->gw->db, row->id, "expired", m->now, &finished, err);
}

static bool all_sent(const struct sg_outbound_group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (!g->rcpts[i]->outcome || strcmp(g->rcpts[i]->outcome, "delivered") != 0)
            return false;
    return g->count > 0;
}

static bool settle(struct sg_message *m, const struct sg_held_row *row, struct sg_outbound_group *g,
                   struct sg_error *err)
{
    bool finished;
    if (all_sent(g))
        return sg_message_record_outcome(m, NULL, err) &&
               sg_held_finish(m->gw->db, row->id, "sent", m->now, &finished, err);
    if (m->now >= row->expires_at)
        return expire(m, row, g, err);
    bool hold = g->plan.action == SG_ACT_HOLD;
    return sg_held_reschedule(
        m->gw->db, row->id, sg_keep_next_try(m->gw, row->attempts + 1, m->now),
        hold ? g->plan.code : row->reason, hold ? g->plan.explanation : row->explanation,
        hold ? g->plan.explanation : "could not be sent on", err);
}

static bool attempt(struct sg_gateway *gw, const struct sg_held_row *row,
                    const struct sg_spool *body, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_message m;
    struct sg_outbound o;
    bool ok = message_begin(&m, gw, arena, row, body, err);
    if (ok) {
        struct sg_outbound_group g = group_all(&m);
        ok = sg_outbound_begin(&o, &m, true, err) && sg_outbound_decide(&o, &g, err);
        if (ok && g.plan.action == SG_ACT_SEAL)
            sg_outbound_seal(&o, &g);
        ok = ok && settle(&m, row, &g, err);
        sg_outbound_group_free(&g);
        sg_outbound_end(&o);
    }
    sg_trace_free(&m.trace);
    return ok;
}

static void held_try(struct sg_gateway *gw, const struct sg_held_row *row)
{
    SG_AUTO_SPOOL body = NULL;
    struct sg_error err = {0};
    if (sg_hold_load(gw->db, gw->hsm, row, &gw->spool, &body, &err) &&
        attempt(gw, row, body, &err)) {
        sg_log(SG_LOG_INFO, "hold.tried", "held", row->id, "msg_id", row->msg_id, "tenant",
               row->tenant_id, NULL);
        return;
    }
    sg_log_error(SG_LOG_WARNING, "hold.failed", &err, "held", row->id, "msg_id", row->msg_id, NULL);
    struct sg_error again = {0};
    if (!sg_held_reschedule(gw->db, row->id,
                            sg_keep_next_try(gw, row->attempts + 1, sg_clock_now()), row->reason,
                            row->explanation, err.detail, &again))
        sg_log_error(SG_LOG_WARNING, "hold.reschedule_failed", &again, "held", row->id, NULL);
}

bool sg_retry_held_round(void *gateway)
{
    struct sg_gateway *gw = gateway;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_held_row *rows;
    size_t count = 0;
    struct sg_error err = {0};
    if (!sg_held_claim_due(gw->db, arena, sg_clock_now(), LEASE_MS, CLAIM_AT_ONCE, &rows, &count,
                           &err)) {
        sg_log_error(SG_LOG_WARNING, "hold.claim_failed", &err, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        held_try(gw, &rows[i]);
    return count == CLAIM_AT_ONCE;
}
