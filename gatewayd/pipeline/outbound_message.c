/* The outbound listener's messages: proof of submission, registry, then group by group. */
#include "common/log.h"
#include "pipeline/deliver.h"
#include "pipeline/keep.h"
#include "pipeline/metrics.h"
#include "pipeline/outbound.h"
#include "pipeline/receive.h"
#include "pipeline/tell.h"

#include <stdlib.h>

#define NEWS_MS 1000

/* The submission header that holds; every other of that name counts for nothing (REQ-136). */
static bool submission_find(struct sg_message *m, struct sg_submission *submission_r,
                            struct sg_error *err)
{
    const struct sg_header *field = NULL;
    const char *sender = sg_submission_sender(m->arena, m->return_path, true);
    sg_fail(err, SG_E_SUBMISSION, "the message was not submitted through this gateway's edge");
    while ((field = sg_header_next(&m->headers, SG_SUBMISSION_HEADER, field))) {
        bool holds =
            sg_submission_check(&m->gw->submission, m->arena, sg_header_unfold(m->arena, field),
                                sender, m->queue_id, m->now, submission_r, err);
        if (holds || err->code != SG_E_SUBMISSION)
            return holds;
    }
    return false;
}

static void refuse(struct sg_message *m, struct sg_rcpt *r, const struct sg_plan *plan)
{
    sg_rcpt_decide(r, "refused", "", plan->code);
    r->remote = sg_arena_strdup(m->arena, plan->explanation);
    sg_smtp_reply_set(&r->reply, 550, "5.7.1", "%s", plan->explanation);
}

static bool is_open(const struct sg_rcpt *r)
{
    return !r->settled && !r->decided;
}

/* The open recipients of a domain, from the first one on. */
static struct sg_outbound_group group_collect(struct sg_message *m, size_t first, bool *taken)
{
    struct sg_outbound_group g = {.domain = m->rcpts[first].domain};
    g.rcpts = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count - first);
    for (size_t i = first; i < m->rcpt_count; i++) {
        if (taken[i] || !is_open(&m->rcpts[i]) || strcmp(m->rcpts[i].domain, g.domain) != 0)
            continue;
        taken[i] = true;
        g.rcpts[g.count++] = &m->rcpts[i];
    }
    return g;
}

static void defer(struct sg_message *m, struct sg_rcpt **rcpts, size_t count,
                  const struct sg_error *err)
{
    sg_log_error(SG_LOG_WARNING, "outbound.deferred", err, "msg_id", m->msg_id, "tenant", m->tenant,
                 NULL);
    sg_trace_error(&m->trace, "deferred", err);
    for (size_t i = 0; i < count; i++)
        if (is_open(rcpts[i]))
            sg_rcpt_defer(rcpts[i], err);
}

/* Table 1: a certificate without a trusted authority was there, and another one was found. */
static bool untrusted_tell(struct sg_outbound *o, struct sg_outbound_group *g, struct sg_error *err)
{
    struct sg_tell tell = {
        .m = o->m, .domain = &o->own, .rcpts = g->rcpts, .count = g->count, .partner = g->domain};
    for (size_t i = 0; *g->environment && i < g->found.candidate_count; i++)
        if (g->found.candidates[i].facts.status == SG_CERT_UNTRUSTED)
            return sg_message_on_disk(o->m, err) && sg_tell_partner(&tell, g->domain, err);
    return true;
}

static void seal(struct sg_outbound *o, struct sg_outbound_group *g)
{
    struct sg_error err = {0};
    if (untrusted_tell(o, g, &err))
        sg_outbound_seal(o, g);
    else
        defer(o->m, g->rcpts, g->count, &err);
}

/* What only sends has its receipt on disk by then (deliver.c); whatever else is done needs it now.
 */
static bool may_act(struct sg_outbound *o, const struct sg_outbound_group *g, struct sg_error *err)
{
    return g->plan.action == SG_ACT_PLAIN || g->plan.action == SG_ACT_SEAL ||
           sg_message_on_disk(o->m, err);
}

static void group_act(struct sg_outbound *o, struct sg_outbound_group *g, struct sg_rcpt **plain,
                      size_t *plain_count)
{
    switch (g->plan.action) {
    case SG_ACT_PLAIN:
        for (size_t i = 0; i < g->count; i++)
            plain[(*plain_count)++] = g->rcpts[i];
        break;
    case SG_ACT_SEAL:
        seal(o, g);
        break;
    case SG_ACT_HOLD:
    case SG_ACT_QUARANTINE:
        sg_keep_group(o, g);
        break;
    case SG_ACT_FAIL:
        sg_keep_failed(o, g);
        break;
    default: /* refused, and what is never planned for mail that leaves */
        for (size_t i = 0; i < g->count; i++)
            refuse(o->m, g->rcpts[i], &g->plan);
        break;
    }
}

/* Group by group; what cannot be decided for one domain is deferred and stops no other. false:
 * nothing more may be sent. */
static bool groups_process(struct sg_outbound *o, struct sg_rcpt **plain, size_t *plain_count,
                           struct sg_error *err)
{
    struct sg_message *m = o->m;
    bool *taken = SG_ARENA_ARRAY(m->arena, bool, m->rcpt_count + 1);
    for (size_t i = 0; i < m->rcpt_count; i++) {
        if (taken[i] || !is_open(&m->rcpts[i]))
            continue;
        struct sg_error why = {0};
        struct sg_outbound_group g = group_collect(m, i, taken);
        if (sg_outbound_decide(o, &g, &why) && may_act(o, &g, &why))
            group_act(o, &g, plain, plain_count);
        else
            defer(m, g.rcpts, g.count, &why);
        sg_outbound_group_free(&g);
        if (g.plan.action != SG_ACT_PLAIN && !sg_receive_checkpoint(m, err))
            return false;
    }
    return true;
}

static void process(struct sg_message *m)
{
    struct sg_outbound o = {0};
    struct sg_error err = {0};
    struct sg_rcpt **plain = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count + 1);
    struct sg_rcpt **all = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count + 1);
    size_t plain_count = 0;
    for (size_t i = 0; i < m->rcpt_count; i++)
        all[i] = &m->rcpts[i];
    if (!sg_keep_recall(m, &err) || !sg_outbound_begin(&o, m, true, &err) ||
        !groups_process(&o, plain, &plain_count, &err))
        defer(m, all, m->rcpt_count, &err);
    else if (plain_count)
        sg_outbound_plain(m, plain, plain_count);
    sg_outbound_end(&o);
}

/* The edge has asked for news when the client's DATA came (edge.c): what was changed before the
 * message was submitted is known. Only what comes much later is to know more. */
static void news_ask(struct sg_message *m)
{
    int64_t at = m->entry->announced_ms;
    if (!at || sg_clock_monotonic_ms() - at > NEWS_MS)
        sg_db_fresh(m->gw->db);
}

static bool handle(struct sg_message *m, struct sg_error *err)
{
    struct sg_submission submission;
    if (!submission_find(m, &submission, err))
        return false;
    m->tenant = submission.tenant;
    if (!sg_receive_register(m, err))
        return false;
    news_ask(m);
    sg_trace_add(&m->trace, "received", "REQ-136", "listener", "outbound", "submitter",
                 submission.submitter, "client", m->client_address, "queue_id", m->queue_id, NULL);
    process(m);
    sg_receive_finish(m);
    return true;
}

static void message(struct sg_gateway *gw, struct sg_smtp_transaction *t,
                    struct sg_smtp_reply *replies)
{
    SG_MEASURE(SG_STAGE_TOTAL);
    struct sg_message m;
    struct sg_error err = {0};
    bool readable = sg_receive_begin(&m, gw, "outbound", t, &err);
    if (!readable || !handle(&m, &err)) {
        /* A header beyond the limits is the customer's to mend; what is ours to mend waits. */
        bool theirs = readable ? err.code == SG_E_SUBMISSION
                               : err.code == SG_E_LIMIT || err.code == SG_E_MIME;
        sg_log_error(SG_LOG_WARNING, "outbound.refused", &err, "queue_id", t->xforward.ident, NULL);
        sg_reply_all(t, replies, &err, theirs);
    } else {
        for (size_t i = 0; i < m.rcpt_count; i++)
            replies[m.rcpts[i].index] = m.rcpts[i].reply;
    }
    sg_receive_end(&m);
}

void sg_outbound_message(void *gateway, struct sg_smtp_transaction *t,
                         struct sg_smtp_reply *replies)
{
    sg_receive_guarded(SG_CRASH_OUTBOUND, message, gateway, t, replies);
}
