#include "pipeline/inbound.h"

#include "common/log.h"
#include "pipeline/deliver.h"
#include "pipeline/even.h"
#include "pipeline/inbound_tell.h"
#include "pipeline/learn.h"
#include "pipeline/metrics.h"
#include "pipeline/ping.h"
#include "pipeline/receive.h"
#include "pipeline/request.h"
#include "pipeline/rewrite.h"
#include "pipeline/warning.h"
#include "smtp/address.h"

#include <stdlib.h>

struct group {
    struct sg_domain_row domain;
    struct sg_rcpt **rcpts;
    size_t count;
};

/* Not Secure Email: byte for byte, but for claims and results that only we may make. */
static void deliver_plain(struct sg_message *m, const struct group *g)
{
    SG_AUTO_BUF head = {0};
    bool changed;
    sg_rewrite_plain_inbound(m, &head, &changed);
    if (changed)
        sg_trace_add(&m->trace, "claims-removed", "REQ-60", NULL);
    struct sg_smtp_piece pieces[] = {
        {.bytes = sg_buf_bytes(&head)},
        {.spool = m->body, .offset = m->headers.raw.len, .len = UINT64_MAX}};
    sg_deliver_next_hop(m, g->domain.id, g->rcpts, g->count, pieces, 2, "plain", "");
}

static void deliver_opened(struct sg_message *m, const struct group *g,
                           const struct sg_inbound_judgement *j)
{
    SG_AUTO_BUF head = {0};
    bool claimed = *j->signer_domain != 0;
    const char *verdict =
        claimed ? sg_arena_printf(m->arena, "verified; domain=%s", j->signer_domain) : "opened";
    sg_rewrite_opened(m, j->opened.changed ? &j->opened.headers : NULL, verdict, &head);
    sg_buf_adds(&head, "\r\n");
    struct sg_smtp_piece pieces[] = {
        {.bytes = sg_buf_bytes(&head)},
        {.spool = j->opened.body, .offset = j->opened.offset, .len = j->opened.len}};
    sg_deliver_next_hop(m, g->domain.id, g->rcpts, g->count, pieces, 2,
                        claimed ? "verified" : "opened", "");
}

/* REQ-76: an entry in the retention log, the trace and the audit log, before 250 is answered. */
static void discard(struct sg_message *m, const struct group *g, const struct sg_plan *plan)
{
    sg_trace_add(&m->trace, "deleted", plan->requirement, "domain", g->domain.name, "code",
                 plan->code, "because", plan->explanation, NULL);
    for (size_t i = 0; i < g->count; i++) {
        sg_rcpt_decide(g->rcpts[i], "discarded", "unverified", plan->code);
        g->rcpts[i]->remote = plan->explanation;
        sg_smtp_reply_set(&g->rcpts[i]->reply, 250, "2.0.0", "%s taken", m->msg_id);
    }
}

static void deliver(struct sg_message *m, const struct group *g,
                    const struct sg_inbound_judgement *j)
{
    switch (j->plan.action) {
    case SG_ACT_PLAIN:
        deliver_plain(m, g);
        break;
    case SG_ACT_DELIVER:
        deliver_opened(m, g, j);
        sg_learn(m, j);
        break;
    case SG_ACT_DELETE:
        discard(m, g, &j->plan);
        break;
    default:
        sg_warning_deliver(m, g->domain.id, g->rcpts, g->count, j);
    }
    sg_inbound_tell_after(m, &g->domain, g->rcpts, g->count, j);
}

static void group_process(struct sg_message *m, const struct group *g)
{
    struct sg_inbound_judgement j;
    struct sg_error err = {0};
    if (!sg_domain_active(&g->domain)) {
        sg_fail(&err, SG_E_BUSY, "the domain is suspended");
    } else if (sg_message_in_time(m, &err) /* else it would be opened for nothing */ &&
               sg_inbound_judge(m, &g->domain, &j, &err)) {
        sg_even_note(m, &j);
        bool told = sg_message_on_disk(m, &err) &&
                    sg_inbound_tell_before(m, &g->domain, g->rcpts, g->count, &j, &err);
        if (told)
            deliver(m, g, &j);
        sg_inbound_judgement_free(&j);
        if (told)
            return;
    }
    sg_log_error(SG_LOG_WARNING, "inbound.deferred", &err, "msg_id", m->msg_id, "tenant", m->tenant,
                 NULL);
    sg_trace_error(&m->trace, "deferred", &err);
    for (size_t i = 0; i < g->count; i++)
        sg_rcpt_defer(g->rcpts[i], &err);
}

/* Addresses at which the gateway itself answers; false: it is none of these. */
static bool serve(struct sg_message *m, const struct sg_domain_row *domain, struct sg_rcpt *rcpt)
{
    bool ping = sg_ping_is(m->gw, rcpt->normalised), request = sg_request_is(rcpt->normalised);
    struct sg_error err = {0};
    if ((ping || request) && (!sg_message_in_time(m, &err) || !sg_message_on_disk(m, &err)))
        sg_rcpt_defer(rcpt, &err);
    else if (ping)
        sg_ping_answer(m, domain, rcpt);
    else if (request)
        sg_request_message(m, domain, rcpt);
    return ping || request;
}

/* One tenant's part of a transaction is one message (no tenant sees another's recipients). */
static void tenant_process(struct sg_message *m, struct sg_domain_row *domains)
{
    struct sg_error err = {0};
    bool *taken = SG_ARENA_ARRAY(m->arena, bool, m->rcpt_count + 1);
    if (!sg_receive_register(m, &err)) {
        sg_log_error(SG_LOG_WARNING, "inbound.deferred", &err, "queue_id", m->queue_id, NULL);
        for (size_t i = 0; i < m->rcpt_count; i++)
            sg_rcpt_defer(&m->rcpts[i], &err);
        return;
    }
    sg_trace_add(&m->trace, "received", "REQ-100", "listener", "inbound", "client",
                 m->client_address, "queue_id", m->queue_id, NULL);
    /* REQ-44, 97: before the rules, and without them. */
    for (size_t i = 0; i < m->rcpt_count; i++)
        taken[i] = m->rcpts[i].settled || serve(m, &domains[m->rcpts[i].index], &m->rcpts[i]);
    for (size_t i = 0; i < m->rcpt_count; i++) {
        if (taken[i] || m->rcpts[i].settled)
            continue;
        struct group g = {.domain = domains[m->rcpts[i].index],
                          .rcpts = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count)};
        for (size_t k = i; k < m->rcpt_count; k++) {
            if (taken[k] || m->rcpts[k].settled ||
                strcmp(m->rcpts[k].domain, m->rcpts[i].domain) != 0)
                continue;
            taken[k] = true;
            g.rcpts[g.count++] = &m->rcpts[k];
        }
        group_process(m, &g);
        if (!sg_receive_checkpoint(m, &err))
            break; /* the rest is deferred */
    }
    sg_receive_finish(m);
}

static bool domains_find(struct sg_message *m, struct sg_domain_row *domains, bool *ours,
                         struct sg_error *err)
{
    for (size_t i = 0; i < m->rcpt_count; i++) {
        bool found = false;
        if (!sg_domain_find_by_name(m->gw->db, m->arena, m->rcpts[i].domain, &domains[i], &found,
                                    err))
            return false;
        ours[i] = found;
        if (!found)
            sg_smtp_reply_set(&m->rcpts[i].reply, 550, "5.7.1", "not a domain of this gateway");
    }
    return true;
}

static void tenants_process(struct sg_message *all, struct sg_domain_row *domains, bool *ours)
{
    for (size_t i = 0; i < all->rcpt_count; i++) {
        if (!ours[i])
            continue;
        struct sg_message m = *all;
        m.tenant = domains[i].tenant_id;
        m.rcpts = SG_ARENA_ARRAY(all->arena, struct sg_rcpt, all->rcpt_count);
        m.rcpt_count = 0;
        sg_trace_init(&m.trace);
        for (size_t k = i; k < all->rcpt_count; k++) {
            if (!ours[k] || strcmp(domains[k].tenant_id, m.tenant) != 0)
                continue;
            m.rcpts[m.rcpt_count++] = all->rcpts[k];
            ours[k] = false;
        }
        tenant_process(&m, domains);
        all->even |= m.even;
        for (size_t k = 0; k < m.rcpt_count; k++)
            all->rcpts[m.rcpts[k].index].reply = m.rcpts[k].reply;
        sg_receive_end(&m);
    }
}

static void process(struct sg_gateway *gw, struct sg_message *m_r, struct sg_smtp_transaction *t,
                    struct sg_smtp_reply *replies)
{
    SG_MEASURE(SG_STAGE_TOTAL);
    struct sg_error err = {0};
    struct sg_domain_row *domains =
        SG_ARENA_ARRAY(t->arena, struct sg_domain_row, t->recipient_count + 1);
    bool *ours = SG_ARENA_ARRAY(t->arena, bool, t->recipient_count + 1);
    sg_db_fresh(gw->db);
    if (!sg_receive_begin(m_r, gw, "inbound", t, &err) || !domains_find(m_r, domains, ours, &err)) {
        sg_log_error(SG_LOG_WARNING, "inbound.refused", &err, "queue_id", t->xforward.ident, NULL);
        sg_reply_all(t, replies, &err, false);
    } else {
        tenants_process(m_r, domains, ours);
        for (size_t i = 0; i < m_r->rcpt_count; i++)
            replies[i] = m_r->rcpts[i].reply;
    }
    sg_receive_end(m_r);
}

static void message(struct sg_gateway *gw, struct sg_smtp_transaction *t,
                    struct sg_smtp_reply *replies)
{
    struct sg_message m;
    process(gw, &m, t, replies);
    sg_even_wait(&m); /* which is no work of ours, and in no figure */
}

void sg_inbound_message(void *gateway, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    sg_receive_guarded(SG_CRASH_INBOUND, message, gateway, t, replies);
}
