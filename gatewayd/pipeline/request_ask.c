/* Asking a partner's gateway for its certificate: once a partner and period, through an outbox. */
#include "common/id.h"
#include "common/log.h"
#include "crash/crash.h"
#include "pipeline/keep.h"
#include "pipeline/request.h"
#include "request/request.h"
#include "schema/certificate_request.h"

void sg_request_want(struct sg_outbound *o, const struct sg_outbound_group *g)
{
    struct sg_message *m = o->m;
    struct sg_error err = {0};
    struct sg_id id = sg_id_new("crq");
    const struct sg_certificate_request row = {.id = id.text,
                                               .partner = g->domain,
                                               .tenant_id = m->tenant,
                                               .domain_id = o->own.id,
                                               .created_at = m->now};
    bool asked = false;
    /* 201: its status may not be known (202), and then no other certificate is wanted. */
    if (m->gw->request_repeat == 0 || strcmp(g->plan.code, "201") != 0 || g->found.awaits_approval)
        return;
    if (!sg_certificate_request_ask(m->gw->db, &row, m->now - m->gw->request_repeat, &asked,
                                    &err)) {
        sg_log_error(SG_LOG_WARNING, "request.not_stored", &err, "msg_id", m->msg_id, NULL);
        return;
    }
    sg_trace_add(&m->trace, "certificate-request", "REQ-44", "domain", g->domain, "asked",
                 asked ? "yes" : "before", "detail",
                 asked ? "its gateway is asked for its certificate by a signed mail"
                       : "its gateway was asked by mail a short while ago",
                 "request", asked ? id.text : NULL, NULL);
}

static bool attempt(struct sg_gateway *gw, const struct sg_certificate_request *row,
                    struct sg_courier_sent **sent, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF text = {0};
    struct sg_domain_row domain;
    bool found = false;
    if (!sg_domain_find(gw->db, arena, row->domain_id, &domain, &found, err))
        return false;
    if (!found || !sg_domain_active(&domain))
        return sg_fail(err, SG_E_NOT_FOUND, "the domain that asks is not active");
    struct sg_request_mail mail = {.id = row->id,
                                   .hostname = gw->hostname,
                                   .from_domain = domain.name,
                                   .to =
                                       sg_arena_printf(arena, SG_REQUEST_ASKED "@%s", row->partner),
                                   .in_reply_to = "",
                                   .date = sg_clock_now()};
    struct sg_request_envelope envelope = {
        .tenant = row->tenant_id,
        .msg_id = row->id,
        .purpose = "request",
        .return_path = sg_arena_printf(arena, SG_REQUEST_ANSWERED "@%s", domain.name),
        .recipient = mail.to};
    sg_request_write(&mail, row->partner, &text);
    return sg_request_send(gw, arena, &envelope, sg_buf_bytes(&text), sent, err);
}

/* *until_r: gatewayd has crashed on it, and it waits until then. */
static bool guarded_attempt(struct sg_gateway *gw, const struct sg_certificate_request *row,
                            struct sg_courier_sent **sent, sg_time *until_r, struct sg_error *err)
{
    if (!sg_crash_begin(SG_CRASH_REQUEST, row->id, until_r, err))
        return false;
    bool ok = attempt(gw, row, sent, err);
    sg_crash_end(ok);
    return ok;
}

/* That it was sent; false: PostgreSQL does not know it yet, and the courier shall not forget it. */
static bool sent_settle(struct sg_gateway *gw)
{
    struct sg_error err = {0};
    struct sg_unsettled *u = &gw->unsettled_request;
    if (!*u->id.text)
        return true;
    if (!sg_certificate_request_sent(gw->db, u->id.text, u->at, &err)) {
        sg_log_error(SG_LOG_WARNING, "request.not_settled", &err, "request", u->id.text, NULL);
        return false;
    }
    sg_courier_release(gw->courier, &u->sent);
    u->id = (struct sg_id){0};
    return true;
}

/* false: it was sent, which is not settled yet. */
static bool request_try(struct sg_gateway *gw, const struct sg_certificate_request *row)
{
    struct sg_error err = {0}, again = {0};
    struct sg_courier_sent *sent = NULL;
    sg_time now = sg_clock_now(), until;
    if (guarded_attempt(gw, row, &sent, &until, &err)) {
        sg_log(SG_LOG_INFO, "request.sent", "request", row->id, "domain", row->partner, "tenant",
               row->tenant_id, NULL);
        gw->unsettled_request = (struct sg_unsettled){.at = now, .sent = sent};
        snprintf(gw->unsettled_request.id.text, sizeof gw->unsettled_request.id.text, "%s",
                 row->id);
        return sent_settle(gw);
    }
    bool last = row->attempts + 1 >= gw->notice_attempts;
    sg_courier_release(gw->courier, &sent);
    sg_log_error(SG_LOG_WARNING, last ? "request.failed" : "request.deferred", &err, "request",
                 row->id, "tenant", row->tenant_id, NULL);
    sg_time next = sg_keep_next_try(gw, NULL, row->attempts, now);
    if (!sg_certificate_request_failed(gw->db, row->id, next > until ? next : until, last,
                                       err.detail, &again))
        sg_log_error(SG_LOG_WARNING, "request.not_settled", &again, "request", row->id, NULL);
    return true;
}

bool sg_request_round(void *gateway)
{
    struct sg_gateway *gw = gateway;
    if (!atomic_load(&gw->replayed) || !sent_settle(gw))
        return false; /* what was sent is not known yet */
    sg_db_fresh(gw->db);
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_certificate_request *rows;
    size_t count = 0;
    struct sg_error err = {0};
    const struct sg_claim claim = sg_keep_claim(gw);
    if (!sg_certificate_request_claim(gw->db, arena, sg_clock_now(), &claim, &rows, &count, &err)) {
        sg_log_error(SG_LOG_WARNING, "request.claim_failed", &err, NULL);
        sg_keep_away(gw);
        return false;
    }
    return count == 1 && request_try(gw, rows);
}
