#include "pipeline/keep.h"

#include "common/deadline.h"
#include "common/log.h"
#include "hold/hold.h"
#include "pipeline/metrics.h"
#include "pipeline/request.h"
#include "pipeline/rewrite.h"
#include "pipeline/tell.h"
#include "smtp/address.h"

sg_time sg_keep_next_try(const struct sg_gateway *gw, const struct sg_domain_policy *policy,
                         int attempts, sg_time now)
{
    sg_time wait = policy && policy->hold_retry_minutes
                       ? policy->hold_retry_minutes * 60 * SG_SECOND
                       : gw->hold_retry_first;
    sg_time most = wait > gw->hold_retry_most ? wait : gw->hold_retry_most;
    for (int i = 0; i < attempts && wait < most; i++)
        wait *= 2;
    return now + (wait < most ? wait : most);
}

/* What storms are folded by (REQ-94): a member's domain, never a stranger's; and what is wrong with
 * our own certificate is the same trouble for all partners. */
static struct sg_tell tell_of(struct sg_outbound *o, struct sg_outbound_group *g)
{
    bool ours = strncmp(g->plan.code, "21", 2) == 0;
    return (struct sg_tell){.m = o->m,
                            .domain = &o->own,
                            .rcpts = g->rcpts,
                            .count = g->count,
                            .partner = *g->environment && !ours ? g->domain : ""};
}

/* REQ-110, 113: which words, for the administrator; never what stands around them. */
static const char *words_of(struct sg_outbound *o, const struct sg_plan *plan)
{
    SG_AUTO_BUF words = {0};
    for (unsigned bit = SG_TRIGGER_IN_CONFIDENCE; bit <= SG_TRIGGER_TOP_SECRET; bit <<= 1)
        if (o->facts.triggers & bit)
            sg_buf_addf(&words, "%s%s", words.len ? ", " : "trigger word: ",
                        sg_trigger_word_name((enum sg_trigger_word)bit));
    if (words.len == 0)
        return plan->explanation;
    return sg_arena_printf(o->m->arena, "%.*s", (int)words.len, (const char *)words.data);
}

static bool administrator_tell(struct sg_outbound *o, struct sg_outbound_group *g,
                               enum sg_notice_kind kind, struct sg_error *err)
{
    struct sg_tell tell = tell_of(o, g);
    return (g->plan.tell & SG_TELL_ADMINISTRATOR) == 0 ||
           sg_tell_administrator(&tell, kind, g->plan.code, words_of(o, &g->plan), err);
}

bool sg_keep_tell_quarantine(struct sg_outbound *o, struct sg_outbound_group *g,
                             struct sg_error *err)
{
    return administrator_tell(o, g, *g->plan.code ? SG_NOTICE_SYSTEM_FAILURE : SG_NOTICE_QUARANTINE,
                              err);
}

static bool held_tell(struct sg_outbound *o, struct sg_outbound_group *g, sg_time next_try_at,
                      struct sg_error *err)
{
    struct sg_tell tell = tell_of(o, g);
    if (g->plan.action == SG_ACT_HOLD)
        return sg_tell_delayed(&tell, g->plan.code, next_try_at, err);
    return sg_keep_tell_quarantine(o, g, err);
}

/* The domain's policy, else the daemon's own (REQ-57). */
static sg_time lifetime_of(const struct sg_outbound *o)
{
    return o->policy.hold_lifetime_hours ? o->policy.hold_lifetime_hours * 3600 * SG_SECOND
                                         : o->m->gw->hold_lifetime;
}

static bool store(struct sg_outbound *o, struct sg_outbound_group *g, struct sg_held_row *row,
                  struct sg_error *err)
{
    struct sg_message *m = o->m;
    SG_AUTO_BUF head = {0};
    bool inserted;
    sg_rewrite_plain_outbound(&m->headers, &head);
    struct sg_hold_content content = {
        .head = sg_buf_bytes(&head),
        .body = m->body,
        .offset = m->headers.raw.len,
        .len = sg_spool_size(m->body) - m->headers.raw.len,
    };
    if (!sg_hold_store(m->gw->db, m->gw->hsm, row, &content, &inserted, err)) {
        sg_registry_doubt(m->entry);
        return false;
    }
    sg_trace_add(&m->trace, row->quarantined ? "quarantined" : "held", g->plan.requirement,
                 "recipient_domain", g->domain, "held", inserted ? row->id : "before", "code",
                 *g->plan.code ? g->plan.code : NULL, NULL);
    return true;
}

/* Asked before anybody is told that it is held. */
static bool has_room(const struct sg_outbound *o, struct sg_error *err)
{
    const struct sg_message *m = o->m;
    int64_t held, most = m->gw->hold_tenant_bytes, size = (int64_t)sg_spool_size(m->body);
    if (!sg_held_size(m->gw->db, m->tenant, &held, err))
        return false;
    if (size <= most - held)
        return true;
    sg_count_hold_full();
    return sg_fail(
        err, SG_E_HOLD_FULL,
        "%lld octets of the tenant's mail are held already, and [hold] tenant_size is %lld",
        (long long)held, (long long)most);
}

static bool hold(struct sg_outbound *o, struct sg_outbound_group *g, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_HOLD);
    struct sg_message *m = o->m;
    struct sg_id id = sg_id_new("hld");
    bool quarantined = g->plan.action == SG_ACT_QUARANTINE;
    if (!has_room(o, err))
        return false;
    const char **recipients = SG_ARENA_ARRAY(m->arena, const char *, g->count + 1);
    for (size_t i = 0; i < g->count; i++)
        recipients[i] = g->rcpts[i]->address;
    struct sg_held_row row = {
        .id = id.text,
        .msg_id = m->msg_id,
        .tenant_id = m->tenant,
        .domain_id = o->own.id,
        .direction = m->direction,
        .reason = g->plan.code,
        .explanation = g->plan.explanation,
        .sender = m->return_path,
        .recipients = recipients,
        .recipient_count = g->count,
        .recipient_domain = g->domain,
        .queue_id = m->queue_id,
        .received_at = m->received_at,
        .held_at = m->now,
        .expires_at = m->now + lifetime_of(o),
        .quarantined = quarantined,
    };
    /* Quarantined: until somebody releases it, or its time is up. */
    row.next_try_at = quarantined ? row.expires_at : sg_keep_next_try(m->gw, &o->policy, 0, m->now);
    if (row.next_try_at > row.expires_at)
        row.next_try_at = row.expires_at;
    /* The notices first: once the message is held it may be sent, and must not come again. */
    if (!held_tell(o, g, row.next_try_at, err) || !store(o, g, &row, err))
        return false;
    if (g->plan.action == SG_ACT_HOLD)
        sg_request_want(o, g);
    return true;
}

static void held_set(const struct sg_message *m, struct sg_rcpt *r, const char *what,
                     const char *code)
{
    sg_rcpt_decide(r, "held", "", code);
    sg_smtp_reply_set(&r->reply, 250, "2.0.0", "%s %s%s%s%s", m->msg_id, what,
                      *code ? " [Code: " : "", code, *code ? "]" : "");
}

/* What was held and is not any more has its outcome, or will have it: it is nobody's but the
 * worker's to say. */
static void ended_set(struct sg_message *m, struct sg_rcpt *r)
{
    r->settled = true;
    sg_registry_settle(m->entry, r->normalised, NULL);
    sg_smtp_reply_set(&r->reply, 250, "2.0.0", "%s was seen to before", m->msg_id);
}

static void part_recall(struct sg_message *m, const struct sg_held_part *part)
{
    bool held = strcmp(part->state, "held") == 0, any = false;
    for (size_t i = 0; i < part->recipient_count; i++) {
        const char *normalised = sg_address_normalise(m->arena, part->recipients[i]);
        for (size_t k = 0; k < m->rcpt_count; k++) {
            struct sg_rcpt *r = &m->rcpts[k];
            if (r->settled || r->decided || strcmp(r->normalised, normalised) != 0)
                continue;
            any = true;
            if (held)
                held_set(m, r, "held", part->reason);
            else
                ended_set(m, r);
        }
    }
    if (held && any)
        sg_trace_add(&m->trace, "held", "REQ-56", "recipient_domain",
                     sg_address_domain(part->recipients[0]), "held", part->id, "code",
                     *part->reason ? part->reason : NULL, NULL);
}

bool sg_keep_recall(struct sg_message *m, struct sg_error *err)
{
    struct sg_held_part *parts = NULL;
    size_t count = 0;
    if (!m->entry->maybe_held || !sg_message_unfinished(m))
        return true;
    if (!sg_held_of_message(m->gw->db, m->arena, m->msg_id, &parts, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        part_recall(m, &parts[i]);
    return true;
}

static void group_defer(struct sg_outbound *o, struct sg_outbound_group *g, const char *event,
                        const struct sg_error *err)
{
    sg_log_error(SG_LOG_WARNING, event, err, "msg_id", o->m->msg_id, "tenant", o->m->tenant, NULL);
    for (size_t i = 0; i < g->count; i++)
        sg_rcpt_defer(g->rcpts[i], err);
}

void sg_keep_group(struct sg_outbound *o, struct sg_outbound_group *group)
{
    struct sg_error err = {0};
    const char *what = group->plan.action == SG_ACT_QUARANTINE ? "quarantined" : "held";
    if (!hold(o, group, &err)) {
        group_defer(o, group, "hold.failed", &err);
        return;
    }
    for (size_t i = 0; i < group->count; i++)
        held_set(o->m, group->rcpts[i], what, group->plan.code);
}

void sg_keep_failed(struct sg_outbound *o, struct sg_outbound_group *group)
{
    struct sg_error err = {0};
    struct sg_tell tell = tell_of(o, group);
    if (!sg_tell_failure(&tell, group->plan.code, &err) ||
        !administrator_tell(o, group, SG_NOTICE_BREACH, &err)) {
        group_defer(o, group, "notice.failed", &err);
        return;
    }
    sg_trace_add(&o->m->trace, "failed", group->plan.requirement, "recipient_domain", group->domain,
                 "code", group->plan.code, NULL);
    for (size_t i = 0; i < group->count; i++) {
        sg_rcpt_decide(group->rcpts[i], "refused", "", group->plan.code);
        group->rcpts[i]->remote = group->plan.explanation;
        sg_smtp_reply_set(&group->rcpts[i]->reply, 250, "2.0.0", "%s not sent [Code: %s]",
                          o->m->msg_id, group->plan.code);
    }
}

#define BACK_MS 60000 /* in which every node has come back to PostgreSQL */

struct sg_claim sg_keep_claim(const struct sg_gateway *gw)
{
    bool away = sg_deadline_left(atomic_load(&gw->away)) > 0;
    /* the last delivery may be begun when message_ms is over */
    int64_t last_ms = sg_courier_longest_ms(gw->courier, gw->reentry.own_wait_ms);
    return (struct sg_claim){.node = gw->node,
                             .lease_ms = gw->message_ms + last_ms,
                             .others_ms = away ? INT32_MAX : gw->hold_others_ms,
                             .limit = 1};
}

void sg_keep_away(struct sg_gateway *gw)
{
    atomic_store(&gw->away, sg_deadline_in(BACK_MS));
}
