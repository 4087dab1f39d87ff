/*
 * The outbox: notices are closed once their message has had its time, folded in storms, and sent by
 * the same rules as any mail of their domain (REQ-62, 94).
 */
#include "common/log.h"
#include "crash/crash.h"
#include "pipeline/deliver.h"
#include "pipeline/keep.h"
#include "pipeline/metrics.h"
#include "pipeline/outbound.h"
#include "pipeline/retry.h"
#include "pipeline/tell.h"
#include "schema/policy.h"
#include "smtp/address.h"

#define CLOSE_AT_ONCE 50
#define SHARE         10   /* of the worker's time: what a server that is slow may have */
#define SLOW_MS       1000 /* so long for one notice */
#define AS_ITSELF     INT64_MAX

static bool about_write(struct sg_gateway *gw, struct sg_arena *arena,
                        const struct sg_notice_row *row, const struct sg_notice *notice,
                        struct sg_buf *out, struct sg_error *err)
{
    struct sg_notice_about about = {.received_at = row->received_at};
    struct sg_notice_item *items = NULL;
    if (!sg_notice_open(gw->hsm, arena, row->sealed_as, row->original, row->wrapped_key,
                        &about.original, err) ||
        !sg_notice_items(gw->db, arena, row->id, &items, &about.item_count, err))
        return false;
    about.items = items;
    sg_notice_message(notice, &about, out);
    return true;
}

static bool summary_write(struct sg_gateway *gw, struct sg_arena *arena,
                          const struct sg_notice_row *row, const struct sg_notice *notice,
                          struct sg_buf *out, struct sg_error *err)
{
    struct sg_notice_summary s = {
        .codes = row->codes, .stands_for = row->stands_for, .began_at = row->began_at};
    struct sg_notice_folded *list = NULL;
    if (!sg_notice_folded_list(gw->db, arena, row->id, gw->notice_lines, &list, &s.line_count, err))
        return false;
    struct sg_notice_line *lines = SG_ARENA_ARRAY(arena, struct sg_notice_line, s.line_count + 1);
    for (size_t i = 0; i < s.line_count; i++) {
        if (!sg_notice_open(gw->hsm, arena, list[i].sealed_as, list[i].original,
                            list[i].wrapped_key, &lines[i].original, err))
            return false;
        lines[i].addresses = list[i].addresses;
        if (list[i].retry_at > s.retry_at)
            s.retry_at = list[i].retry_at;
    }
    s.lines = lines;
    sg_notice_summary_message(notice, &s, out);
    return true;
}

static bool spool_notice(struct sg_gateway *gw, struct sg_arena *arena,
                         const struct sg_notice_row *row, const char *domain,
                         struct sg_spool *spool, struct sg_error *err)
{
    struct sg_notice notice = {.id = row->id,
                               .hostname = gw->hostname,
                               .domain = domain,
                               .recipient = row->recipient,
                               .created_at = row->created_at};
    struct sg_domain_policy policy;
    SG_AUTO_BUF text = {0};
    if (!sg_notice_kind_find(row->kind, &notice.kind))
        return sg_fail(err, SG_E_INTERNAL, "a notice of kind %s", row->kind);
    if (!sg_domain_policy_load(gw->db, arena, row->domain_id, &policy, err))
        return false;
    notice.brief = strcmp(policy.notice_form, "brief") == 0;
    notice.addition = policy.notice_addition;
    bool ok = row->stands_for ? summary_write(gw, arena, row, &notice, &text, err)
                              : about_write(gw, arena, row, &notice, &text, err);
    return ok && sg_spool_write(spool, text.data, text.len, err);
}

static void plain(struct sg_message *m, struct sg_rcpt *rcpt)
{
    struct sg_smtp_piece piece = {.spool = m->body, .len = UINT64_MAX};
    sg_deliver_reentry(m, &rcpt, 1, &piece, 1, "plain");
}

/*
 * Our own certificate is not good, and it is the domain's own people who are to be told of that: by
 * the way that any opened mail goes to them, for a seal is what there is none of (REQ-57).
 */
static bool is_at_home(const struct sg_outbound *o, const struct sg_outbound_group *g)
{
    return g->plan.action == SG_ACT_HOLD && strncmp(g->plan.code, "21", 2) == 0 &&
           strcmp(g->domain, o->own.name) == 0;
}

/* For how long, in ms, other notices to that server are to be put off; AS_ITSELF: as this one is.
 */
static int64_t hand_over(struct sg_outbound *o, struct sg_rcpt *rcpt)
{
    struct sg_smtp_piece piece = {.spool = o->m->body, .len = UINT64_MAX};
    int64_t began = sg_clock_monotonic_ms();
    sg_deliver_next_hop(o->m, o->own.id, &rcpt, 1, &piece, 1, "opened", "");
    int64_t took = sg_clock_monotonic_ms() - began;
    return strcmp(rcpt->outcome, "deferred") == 0 ? AS_ITSELF
           : took >= SLOW_MS                      ? (SHARE - 1) * took
                                                  : 0;
}

/* The notice as a message from the domain's postmaster, with the null sender. */
static bool deliver(struct sg_message *m, struct sg_rcpt *rcpt, int64_t *others_ms_r,
                    struct sg_error *err)
{
    struct sg_outbound o;
    struct sg_outbound_group g = {.domain = rcpt->domain, .rcpts = &rcpt, .count = 1};
    bool ok = sg_outbound_begin(&o, m, true, err);
    o.facts.notice = true;
    ok = ok && sg_outbound_decide(&o, &g, err);
    if (ok && g.plan.action == SG_ACT_SEAL)
        sg_outbound_seal(&o, &g);
    else if (ok && g.plan.action == SG_ACT_PLAIN)
        plain(m, rcpt);
    else if (ok && is_at_home(&o, &g))
        *others_ms_r = hand_over(&o, rcpt);
    else if (ok)
        ok = sg_fail(err, SG_E_CERT_NONE, "%s", g.plan.explanation);
    if (ok && (!rcpt->decided || strcmp(rcpt->outcome, "delivered") != 0))
        ok = sg_fail(err, SG_E_SMTP_DEFERRED, "%.200s", rcpt->remote);
    sg_outbound_group_free(&g);
    sg_outbound_end(&o);
    return ok;
}

static bool attempt(struct sg_gateway *gw, const struct sg_notice_row *row,
                    struct sg_courier_sent **sent, int64_t *others_ms_r, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_SPOOL body = sg_spool_new(&gw->spool);
    struct sg_domain_row domain;
    bool found;
    if (!sg_domain_find(gw->db, arena, row->domain_id, &domain, &found, err) ||
        (!found && !sg_fail(err, SG_E_NOT_FOUND, "the notice's domain is gone")) ||
        !spool_notice(gw, arena, row, domain.name, body, err))
        return false;
    struct sg_rcpt rcpt = {.address = row->recipient,
                           .normalised = sg_address_normalise(arena, row->recipient),
                           .remote = "",
                           .outcome = "",
                           .verdict = "",
                           .code = ""};
    rcpt.domain = sg_address_domain(rcpt.normalised);
    if (!rcpt.domain)
        return sg_fail(err, SG_E_INVALID, "the notice's recipient has no domain");
    struct sg_message m = {.gw = gw,
                           .arena = arena,
                           .direction = "outbound",
                           .tenant = row->tenant_id,
                           .msg_id = *row->msg_id ? row->msg_id : row->id,
                           .received_at = row->created_at,
                           .now = sg_clock_now(),
                           .queue_id = "",
                           .sender = "",
                           .return_path = "",
                           .client_address = "",
                           .client_name = "",
                           .smtputf8 = !sg_address_ascii(row->recipient),
                           .body = body,
                           .rcpts = &rcpt,
                           .rcpt_count = 1,
                           .purpose = row->id};
    sg_trace_init(&m.trace);
    bool ok = sg_header_read(arena, body, 0, sg_spool_size(body), &gw->headers, &m.headers, err) &&
              deliver(&m, &rcpt, others_ms_r, err);
    sg_message_sent_move(&m, sent);
    sg_trace_free(&m.trace);
    return ok;
}

/* Not even opened where gatewayd has crashed on it: *until_r. */
static bool guarded_attempt(struct sg_gateway *gw, const struct sg_notice_row *row,
                            struct sg_courier_sent **sent, int64_t *others_ms_r, sg_time *until_r,
                            struct sg_error *err)
{
    if (!sg_crash_begin(SG_CRASH_NOTICE, row->id, until_r, err))
        return false;
    bool ok = attempt(gw, row, sent, others_ms_r, err);
    sg_crash_end(ok);
    return ok;
}

/* That it was sent; false: PostgreSQL does not know it yet, and the courier shall not forget it. */
static bool sent_settle(struct sg_gateway *gw)
{
    struct sg_error err = {0};
    struct sg_unsettled *u = &gw->unsettled_notice;
    if (!*u->id.text)
        return true;
    if (!sg_notice_finish(gw->db, u->id.text, "sent", "", u->at, &err)) {
        sg_log_error(SG_LOG_WARNING, "notice.not_settled", &err, "notice", u->id.text, NULL);
        return false;
    }
    sg_courier_release(gw->courier, &u->sent);
    u->id = (struct sg_id){0};
    return true;
}

/* One worker sends everybody's: a server that hangs costs one time-out, and not one for each notice
 * that waits for it; one that is slow costs a SHAREth of the worker's time. */
static void rest_put_off(struct sg_gateway *gw, const struct sg_notice_row *row, sg_time now,
                         sg_time next)
{
    struct sg_error err = {0};
    if (!sg_notice_put_off(gw->db, row->domain_id, sg_address_domain(row->recipient), now, next,
                           &err))
        sg_log_error(SG_LOG_WARNING, "notice.not_settled", &err, "domain", row->domain_id, NULL);
}

/* The worker that had it for the last time did not live to say what came of it: perhaps because of
 * what is in it. */
static bool is_used_up(const struct sg_gateway *gw, const struct sg_notice_row *row)
{
    return row->attempts > gw->notice_attempts;
}

/* false: it was sent, which is not settled yet. */
static bool notice_try(struct sg_gateway *gw, const struct sg_notice_row *row)
{
    struct sg_error err = {0}, again = {0};
    struct sg_courier_sent *sent = NULL;
    int64_t others_ms = 0;
    bool ok = false;
    sg_time until = 0;
    if (is_used_up(gw, row))
        sg_fail(&err, SG_E_INTERNAL, "the last of its tries did not come to an end");
    else
        ok = guarded_attempt(gw, row, &sent, &others_ms, &until, &err);
    bool last = !ok && row->attempts >= gw->notice_attempts;
    sg_time now = sg_clock_now(), next = sg_keep_next_try(gw, NULL, row->attempts - 1, now);
    if (others_ms)
        rest_put_off(gw, row, now,
                     others_ms == AS_ITSELF ? next : now + others_ms * (SG_SECOND / 1000));
    sg_count_notice(row->kind, ok ? "sent" : last ? "failed" : "deferred");
    if (ok) {
        gw->unsettled_notice = (struct sg_unsettled){.at = now, .sent = sent};
        snprintf(gw->unsettled_notice.id.text, sizeof gw->unsettled_notice.id.text, "%s", row->id);
        return sent_settle(gw);
    }
    sg_courier_release(gw->courier, &sent);
    sg_log_error(last ? SG_LOG_ERROR : SG_LOG_WARNING, last ? "notice.failed" : "notice.deferred",
                 &err, "notice", row->id, "msg_id", row->msg_id, "tenant", row->tenant_id, NULL);
    bool stored = last ? sg_notice_finish(gw->db, row->id, "failed", err.detail, now, &again)
                       : sg_notice_reschedule(gw->db, row->id, next > until ? next : until,
                                              err.detail, &again);
    if (!stored)
        sg_log_error(SG_LOG_WARNING, "notice.not_settled", &again, "notice", row->id, NULL);
    return true;
}

/* What has had its time is closed; *more_r: there may be more of it. */
static bool notices_close(struct sg_gateway *gw, sg_time now, bool *more_r, struct sg_error *err)
{
    struct sg_notice_closed closed = {0};
    size_t summaries = 0, receipts = 0;
    if (!sg_notice_periods_end(gw->db, now, CLOSE_AT_ONCE, &summaries, err) ||
        !sg_notice_close_due(gw->db, now, CLOSE_AT_ONCE, gw->notice_lines, &closed, err) ||
        !sg_notice_receipts_close(gw->db, now, CLOSE_AT_ONCE, &receipts, err))
        return false;
    sg_count_folded(closed.folded);
    if (summaries)
        sg_log(SG_LOG_INFO, "notice.summaries", "count", sg_log_num((int64_t)summaries), NULL);
    *more_r = closed.singly + closed.folded == CLOSE_AT_ONCE;
    return true;
}

bool sg_retry_notice_round(void *gateway)
{
    struct sg_gateway *gw = gateway;
    if (!atomic_load(&gw->replayed) || !sent_settle(gw))
        return false; /* what was sent is not known yet */
    sg_db_fresh(gw->db);
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_notice_row *rows;
    size_t count = 0;
    struct sg_error err = {0};
    const struct sg_claim claim = sg_keep_claim(gw);
    bool more = false;
    if (!notices_close(gw, sg_clock_now(), &more, &err) ||
        !sg_notice_claim_due(gw->db, arena, sg_clock_now(), &claim, &rows, &count, &err)) {
        sg_log_error(SG_LOG_WARNING, "notice.claim_failed", &err, NULL);
        sg_keep_away(gw);
        return false;
    }
    return (count == 0 || notice_try(gw, rows)) && (more || count == 1);
}
