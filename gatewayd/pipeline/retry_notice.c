/* The outbox: a notice goes by the same rules as any mail of its domain (REQ-62). */
#include "common/log.h"
#include "pipeline/deliver.h"
#include "pipeline/keep.h"
#include "pipeline/outbound.h"
#include "pipeline/retry.h"
#include "smtp/address.h"

#define CLAIM_AT_ONCE 1      /* the lease counts from here, and the next one has none to lose */
#define LEASE_MS      900000 /* more than an attempt with all its time-outs */
#define MOST_ATTEMPTS 40     /* about five days at the longest wait */

static bool spool_notice(struct sg_gateway *gw, struct sg_arena *arena,
                         const struct sg_notice_row *row, const char *domain,
                         struct sg_spool *spool, struct sg_error *err)
{
    struct sg_notice_content content;
    SG_AUTO_BUF text = {0};
    if (!sg_notice_open(gw->hsm, arena, row, &content, err))
        return false;
    sg_notice_message(&content, domain, row->recipient, gw->hostname, row->id, row->created_at,
                      &text);
    return sg_spool_write(spool, text.data, text.len, err);
}

static void plain(struct sg_message *m, struct sg_rcpt *rcpt)
{
    struct sg_smtp_piece piece = {.spool = m->body, .len = UINT64_MAX};
    sg_deliver_reentry(m, &rcpt, 1, &piece, 1, "plain");
}

/* The notice as a message from the domain's postmaster, with the null sender. */
static bool deliver(struct sg_message *m, struct sg_rcpt *rcpt, struct sg_error *err)
{
    struct sg_outbound o;
    struct sg_outbound_group g = {.domain = rcpt->domain, .rcpts = &rcpt, .count = 1};
    bool ok = sg_outbound_begin(&o, m, true, err) && sg_outbound_decide(&o, &g, err);
    if (ok && g.plan.action == SG_ACT_SEAL)
        sg_outbound_seal(&o, &g);
    else if (ok && g.plan.action == SG_ACT_PLAIN)
        plain(m, rcpt);
    else if (ok)
        ok = sg_fail(err, SG_E_CERT_NONE, "%s", g.plan.explanation);
    if (ok && (!rcpt->decided || strcmp(rcpt->outcome, "delivered") != 0))
        ok = sg_fail(err, SG_E_SMTP_DEFERRED, "%.200s", rcpt->remote);
    sg_outbound_group_free(&g);
    sg_outbound_end(&o);
    return ok;
}

static bool attempt(struct sg_gateway *gw, const struct sg_notice_row *row, struct sg_error *err)
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
                           .msg_id = row->msg_id,
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
                           .rcpt_count = 1};
    sg_trace_init(&m.trace);
    bool ok = sg_header_read(arena, body, 0, sg_spool_size(body), &gw->headers, &m.headers, err) &&
              deliver(&m, &rcpt, err);
    sg_trace_free(&m.trace);
    return ok;
}

static void notice_try(struct sg_gateway *gw, const struct sg_notice_row *row)
{
    struct sg_error err = {0}, again = {0};
    sg_time now = sg_clock_now();
    bool ok = attempt(gw, row, &err), stored;
    if (ok)
        stored = sg_notice_finish(gw->db, row->id, "sent", "", now, &again);
    else if (row->attempts >= MOST_ATTEMPTS)
        stored = sg_notice_finish(gw->db, row->id, "failed", err.detail, now, &again);
    else
        stored = sg_notice_reschedule(gw->db, row->id, sg_keep_next_try(gw, row->attempts, now),
                                      err.detail, &again);
    if (!ok)
        sg_log_error(SG_LOG_WARNING, "notice.deferred", &err, "notice", row->id, "msg_id",
                     row->msg_id, NULL);
    if (!stored)
        sg_log_error(SG_LOG_WARNING, "notice.not_settled", &again, "notice", row->id, NULL);
}

bool sg_retry_notice_round(void *gateway)
{
    struct sg_gateway *gw = gateway;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_notice_row *rows;
    size_t count = 0;
    struct sg_error err = {0};
    if (!sg_notice_claim_due(gw->db, arena, sg_clock_now(), LEASE_MS, CLAIM_AT_ONCE, &rows, &count,
                             &err)) {
        sg_log_error(SG_LOG_WARNING, "notice.claim_failed", &err, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        notice_try(gw, &rows[i]);
    return count == CLAIM_AT_ONCE;
}
