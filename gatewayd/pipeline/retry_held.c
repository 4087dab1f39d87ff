/*
 * A held message is tried again by the same rules; it never goes in a weaker form than they want.
 * One in quarantine is tried once an administrator has released it.
 */
#include "common/deadline.h"
#include "common/log.h"
#include "crash/crash.h"
#include "hold/hold.h"
#include "pipeline/keep.h"
#include "pipeline/outbound.h"
#include "pipeline/request.h"
#include "pipeline/retry.h"
#include "pipeline/tell.h"
#include "schema/held.h"
#include "schema/message.h"
#include "smtp/address.h"

/* The held message as a message of the pipeline. */
static void message_begin(struct sg_message *m, struct sg_gateway *gw, struct sg_arena *arena,
                          const struct sg_held_row *row, const struct sg_spool *body)
{
    *m = (struct sg_message){.gw = gw,
                             .arena = arena,
                             .direction = row->direction,
                             .tenant = row->tenant_id,
                             .msg_id = row->msg_id,
                             .received_at = row->received_at,
                             .now = sg_clock_now(),
                             .until = sg_deadline_in(gw->message_ms), /* less than the lease */
                             .queue_id = row->queue_id,
                             .sender = sg_address_normalise(arena, row->sender),
                             .return_path = row->sender,
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
        m->smtputf8 |= !sg_address_ascii(r->address);
    }
    m->smtputf8 |= !sg_address_ascii(row->sender);
}

static struct sg_outbound_group group_all(struct sg_message *m)
{
    struct sg_outbound_group g = {.domain = m->rcpts[0].domain, .count = m->rcpt_count};
    g.rcpts = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count + 1);
    for (size_t i = 0; i < m->rcpt_count; i++)
        g.rcpts[i] = &m->rcpts[i];
    return g;
}

/* Of a domain that is gone nobody can be told: its postmaster would have to write. */
static bool failure_tell(struct sg_message *m, const struct sg_held_row *row,
                         const struct sg_outbound_group *g, struct sg_error *err)
{
    struct sg_domain_row domain;
    bool found = false;
    if (!sg_domain_find(m->gw->db, m->arena, row->domain_id, &domain, &found, err))
        return false;
    struct sg_tell tell = {.m = m,
                           .domain = &domain,
                           .rcpts = g->rcpts,
                           .count = g->count,
                           .partner = strncmp(row->reason, "21", 2) == 0 ? "" : g->domain};
    return !found || sg_tell_failure(&tell, row->reason, err);
}

/* With the notices that were gathered, in one transaction. The outcome is journaled before it:
 * where it comes to nothing the next attempt says what became of it. */
static bool done_with(struct sg_message *m, const char *held_id, const char *state,
                      struct sg_rcpt **rcpts, size_t count, bool *done_r, struct sg_error *err)
{
    const char **addresses = SG_ARENA_ARRAY(m->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        addresses[i] = rcpts[i]->address;
    return sg_held_done(m->gw->db, held_id, state, addresses, count, m->gathered, m->now, done_r,
                        err);
}

/* The time is up: FAILURE to the sender, and with that it ends. */
static bool expire(struct sg_message *m, const struct sg_held_row *row, struct sg_outbound_group *g,
                   struct sg_error *err)
{
    bool finished;
    for (size_t i = 0; i < g->count; i++) {
        sg_rcpt_decide(g->rcpts[i], "expired", "", row->reason);
        g->rcpts[i]->remote = row->explanation;
    }
    m->gathers = true;
    if (!failure_tell(m, row, g, err))
        return false;
    sg_trace_add(&m->trace, "hold-expired", "REQ-56", "held", row->id, NULL);
    return sg_message_record_outcome(m, err) &&
           done_with(m, row->id, "expired", g->rcpts, g->count, &finished, err);
}

/* To whom a held message was sent without PostgreSQL knowing it: before it does nothing else is
 * taken. */
struct sg_unsettled_held {
    struct sg_arena *arena;
    const char *id;
    const char **addresses;
    size_t count;
    struct sg_courier_sent *sent; /* where the journal does not know it either */
};

void sg_retry_held_end(struct sg_gateway *gw, struct sg_courier_sent **sent)
{
    struct sg_unsettled_held *u = gw->unsettled_held;
    if (!u)
        return;
    struct sg_arena *arena = u->arena;
    sg_courier_join(sent, &u->sent);
    gw->unsettled_held = NULL;
    sg_arena_free(&arena);
}

static void unsettled_keep(struct sg_message *m, const char *held_id, struct sg_rcpt **sent,
                           size_t count)
{
    struct sg_arena *arena = sg_arena_new();
    struct sg_courier_sent *before = NULL;
    sg_retry_held_end(m->gw, &before); /* all of that is told again now */
    struct sg_unsettled_held *u = SG_ARENA_NEW(arena, struct sg_unsettled_held);
    *u = (struct sg_unsettled_held){.arena = arena,
                                    .id = sg_arena_strdup(arena, held_id),
                                    .addresses = SG_ARENA_ARRAY(arena, const char *, count),
                                    .count = count,
                                    .sent = before};
    for (size_t i = 0; i < count; i++)
        u->addresses[i] = sg_arena_strdup(arena, sent[i]->address);
    sg_message_sent_move(m, &u->sent);
    m->gw->unsettled_held = u;
}

static bool unsettled_settle(struct sg_gateway *gw)
{
    const struct sg_unsettled_held *u = gw->unsettled_held;
    struct sg_error err = {0};
    struct sg_courier_sent *sent = NULL;
    bool finished;
    if (!u)
        return true;
    if (!sg_held_done(gw->db, u->id, "sent", u->addresses, u->count, NULL, sg_clock_now(),
                      &finished, &err)) {
        sg_log_error(SG_LOG_WARNING, "hold.not_settled", &err, "held", u->id, NULL);
        return false;
    }
    sg_retry_held_end(gw, &sent);
    sg_courier_release(gw->courier, &sent);
    return true;
}

/*
 * To whom it was sent, in the journal and in PostgreSQL, which forgets them even where the journal
 * is away, for they must not get it again. *done_r: to all of them. The others are held as before.
 */
static bool sent_settle(struct sg_message *m, const char *held_id, bool *done_r,
                        struct sg_error *err)
{
    struct sg_error why = {0};
    struct sg_rcpt **sent = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count + 1);
    size_t count = 0;
    *done_r = false;
    for (size_t i = 0; i < m->rcpt_count; i++) {
        struct sg_rcpt *r = &m->rcpts[i];
        r->decided &= strcmp(r->outcome, "delivered") == 0;
        if (r->decided)
            sent[count++] = r;
    }
    if (count == 0)
        return true;
    bool journaled = sg_message_record_outcome(m, &why);
    if (!done_with(m, held_id, "sent", sent, count, done_r, err)) {
        unsettled_keep(m, held_id, sent, count);
        return false;
    }
    if (!journaled && err)
        *err = why;
    return journaled;
}

/* Blind copies go one by one, and may take long. */
static bool settle_between(struct sg_message *m, const void *held_id, struct sg_error *err)
{
    bool done;
    return sent_settle(m, held_id, &done, err);
}

/* Those whom it has not reached. */
static void group_reduce(struct sg_outbound_group *g)
{
    size_t left = 0;
    for (size_t i = 0; i < g->count; i++)
        if (!g->rcpts[i]->decided)
            g->rcpts[left++] = g->rcpts[i];
    g->count = left;
}

/* The rules have changed their mind, or it was an administrator's word that they ask for: it is not
 * sent in any form, and its sender is told. */
static bool fail(struct sg_outbound *o, const struct sg_held_row *row, struct sg_outbound_group *g,
                 struct sg_error *err)
{
    bool finished;
    o->m->gathers = true;
    sg_keep_failed(o, g);
    if (!g->rcpts[0]->decided || strcmp(g->rcpts[0]->outcome, "refused") != 0)
        return sg_fail(err, SG_E_BUSY, "the sender could not be told");
    return sg_message_record_outcome(o->m, err) &&
           done_with(o->m, row->id, "expired", g->rcpts, g->count, &finished, err);
}

static bool settle(struct sg_outbound *o, const struct sg_held_row *row,
                   struct sg_outbound_group *g, struct sg_error *err)
{
    struct sg_message *m = o->m;
    bool done;
    if (!sent_settle(m, row->id, &done, err))
        return false;
    if (done)
        return true;
    group_reduce(g);
    if (m->now >= row->expires_at && g->count)
        return expire(m, row, g, err);
    if (g->plan.action == SG_ACT_QUARANTINE)
        return sg_keep_tell_quarantine(o, g, err) &&
               sg_held_quarantine(m->gw->db, row->id, g->plan.code, g->plan.explanation, err);
    if (g->plan.action == SG_ACT_FAIL)
        return fail(o, row, g, err);
    bool hold = g->plan.action == SG_ACT_HOLD;
    if (hold)
        sg_request_want(o, g);
    return sg_held_reschedule(
        m->gw->db, row, sg_keep_next_try(m->gw, &o->policy, row->attempts + 1, m->now),
        hold ? g->plan.code : row->reason, hold ? g->plan.explanation : row->explanation,
        hold ? g->plan.explanation : "could not be sent on", err);
}

/* Whom it reached according to the retention log, though the last attempt did not live to say so.
 */
static bool reached_mark(struct sg_message *m, bool *any_r, struct sg_error *err)
{
    struct sg_message_row row;
    struct sg_recipient_row *recipients;
    size_t count = 0;
    bool found = false;
    if (*m->queue_id &&
        !sg_message_find_by_queue(m->gw->db, m->arena, m->queue_id, m->direction, m->tenant, &row,
                                  &recipients, &count, &found, err))
        return false;
    for (size_t i = 0; found && strcmp(row.id, m->msg_id) == 0 && i < count; i++) {
        for (size_t k = 0; k < m->rcpt_count; k++) {
            struct sg_rcpt *r = &m->rcpts[k];
            if (strcmp(recipients[i].outcome, "delivered") != 0 ||
                strcmp(recipients[i].recipient, r->normalised) != 0)
                continue;
            sg_rcpt_decide(r, "delivered", "sealed", "");
            r->recorded = *any_r = true;
        }
    }
    return true;
}

/* One attempt for whom it did not reach yet; an administrator may have deleted it meanwhile. */
static bool send_on(struct sg_message *m, const struct sg_held_row *row,
                    struct sg_outbound_group *g, struct sg_error *err)
{
    struct sg_outbound o;
    bool held = false;
    bool ok = sg_outbound_begin(&o, m, true, err);
    o.facts.approved = row->approved_at != 0;
    m->settle = settle_between;
    m->settle_ctx = row->id;
    ok = ok && sg_outbound_decide(&o, g, err) && sg_held_is(m->gw->db, row->id, &held, err);
    if (ok && held && g->plan.action == SG_ACT_SEAL)
        sg_outbound_seal(&o, g);
    if (ok && held && g->plan.action == SG_ACT_PLAIN && row->quarantined && !*row->reason)
        sg_outbound_plain(m, g->rcpts, g->count); /* was not kept for want of a certificate */
    ok = ok && (!held || settle(&o, row, g, err));
    sg_outbound_group_free(g);
    sg_outbound_end(&o);
    return ok;
}

/* Those whom it has reached are settled, and g has the others. *done_r: there are none. */
static bool reached_settle(struct sg_message *m, const struct sg_held_row *row,
                           struct sg_outbound_group *g, bool *reached_r, bool *done_r,
                           struct sg_error *err)
{
    bool ok =
        reached_mark(m, reached_r, err) && (!*reached_r || sent_settle(m, row->id, done_r, err));
    group_reduce(g);
    return ok;
}

/* *reached_r: somebody has it, whatever could not be written of that. */
static bool attempt(struct sg_gateway *gw, const struct sg_held_row *row,
                    const struct sg_spool *body, bool *reached_r, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_message m;
    bool done = false;
    message_begin(&m, gw, arena, row, body);
    struct sg_outbound_group g = group_all(&m);
    bool ok = sg_header_read(arena, body, 0, sg_spool_size(body), &gw->headers, &m.headers, err) &&
              reached_settle(&m, row, &g, reached_r, &done, err);
    ok =
        ok && (done || (sg_held_waits(row) ? expire(&m, row, &g, err) : send_on(&m, row, &g, err)));
    for (size_t i = 0; i < m.rcpt_count; i++)
        *reached_r |= m.rcpts[i].decided && strcmp(m.rcpts[i].outcome, "delivered") == 0;
    sg_message_sent_release(&m);
    sg_trace_free(&m.trace);
    return ok;
}

/* It cannot be read any more, or not be judged, and its time is up: the sender is told all the
 * same of whom it has not reached, without the fields of its header. */
static bool expire_unread(struct sg_gateway *gw, const struct sg_held_row *row,
                          struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_message m;
    message_begin(&m, gw, arena, row, NULL);
    struct sg_outbound_group g = group_all(&m);
    bool reached = false, done = false;
    bool ok =
        reached_settle(&m, row, &g, &reached, &done, err) && (done || expire(&m, row, &g, err));
    sg_trace_free(&m.trace);
    return ok;
}

/* Not even loaded where gatewayd has crashed on it: *until_r. */
static bool guarded_attempt(struct sg_gateway *gw, const struct sg_held_row *row, bool *reached_r,
                            sg_time *until_r, struct sg_error *err)
{
    SG_AUTO_SPOOL body = NULL;
    if (!sg_crash_begin(SG_CRASH_HELD, row->id, until_r, err))
        return false;
    bool ok = sg_hold_load(gw->db, gw->hsm, row, &gw->spool, &body, err) &&
              attempt(gw, row, body, reached_r, err);
    sg_crash_end(ok && *reached_r);
    return ok;
}

static void held_try(struct sg_gateway *gw, const struct sg_held_row *row)
{
    struct sg_error err = {0}, again = {0};
    bool reached = false;
    sg_time until;
    sg_db_fresh(gw->db);
    if (guarded_attempt(gw, row, &reached, &until, &err)) {
        sg_log(SG_LOG_INFO, "hold.tried", "held", row->id, "msg_id", row->msg_id, "tenant",
               row->tenant_id, NULL);
        return;
    }
    sg_log_error(SG_LOG_WARNING, "hold.failed", &err, "held", row->id, "msg_id", row->msg_id, NULL);
    sg_time now = sg_clock_now();
    if (!reached && now >= row->expires_at && err.code != SG_E_NOT_FOUND &&
        expire_unread(gw, row, &again))
        return;
    sg_time next = sg_keep_next_try(gw, NULL, row->attempts + 1, now);
    if (!sg_held_reschedule(gw->db, row, next > until ? next : until, row->reason, row->explanation,
                            err.detail, &again))
        sg_log_error(SG_LOG_WARNING, "hold.reschedule_failed", &again, "held", row->id, NULL);
}

/* A portion of what waits for a certificate that has come. True: there is more of it. */
static bool wake(struct sg_gateway *gw)
{
    bool more = false;
    struct sg_error err = {0};
    if (!sg_held_wake_next(gw->db, SG_RETRY_PORTION, sg_clock_now(), &more, &err)) {
        sg_log_error(SG_LOG_WARNING, "hold.wake_failed", &err, NULL);
        sg_keep_away(gw);
    }
    return more;
}

bool sg_retry_held_round(void *gateway)
{
    struct sg_gateway *gw = gateway;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_held_row *rows;
    size_t count = 0;
    struct sg_error err = {0};
    if (!atomic_load(&gw->replayed) || !unsettled_settle(gw))
        return false; /* what was sent is not known yet */
    bool more = wake(gw);
    const struct sg_claim claim = sg_keep_claim(gw);
    if (!sg_held_claim_due(gw->db, arena, sg_clock_now(), &claim, &rows, &count, &err)) {
        sg_log_error(SG_LOG_WARNING, "hold.claim_failed", &err, NULL);
        sg_keep_away(gw);
        return false;
    }
    if (count == 1)
        held_try(gw, rows);
    return count == 1 || more;
}
