#include "pipeline/keep.h"

#include "common/log.h"
#include "hold/hold.h"
#include "pipeline/metrics.h"
#include "pipeline/rewrite.h"
#include "pipeline/tell.h"
#include "schema/policy.h"

sg_time sg_keep_next_try(const struct sg_gateway *gw, int attempts, sg_time now)
{
    sg_time wait = gw->hold_retry_first;
    for (int i = 0; i < attempts && wait < gw->hold_retry_most; i++)
        wait *= 2;
    return now + (wait < gw->hold_retry_most ? wait : gw->hold_retry_most);
}

/* What is wrong with our own certificate is the same trouble for all partners. */
static const char *partner_of(const struct sg_outbound_group *g)
{
    return strncmp(g->plan.code, "21", 2) == 0 ? "" : g->domain;
}

/* The domain's policy, else the daemon's own (REQ-57). */
static bool lifetime_find(struct sg_outbound *o, sg_time *lifetime_r, struct sg_error *err)
{
    struct sg_domain_policy policy;
    if (!sg_domain_policy_load(o->m->gw->db, o->m->arena, o->own.id, &policy, err))
        return false;
    *lifetime_r = policy.hold_lifetime_hours ? policy.hold_lifetime_hours * 3600 * SG_SECOND
                                             : o->m->gw->hold_lifetime;
    return true;
}

static bool hold(struct sg_outbound *o, struct sg_outbound_group *g, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_HOLD);
    struct sg_message *m = o->m;
    struct sg_id id = sg_id_new("hld");
    sg_time lifetime;
    SG_AUTO_BUF head = {0};
    const char **recipients = SG_ARENA_ARRAY(m->arena, const char *, g->count + 1);
    for (size_t i = 0; i < g->count; i++)
        recipients[i] = g->rcpts[i]->address;
    sg_rewrite_plain_outbound(&m->headers, &head);
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
        .next_try_at = sg_keep_next_try(m->gw, 0, m->now),
    };
    struct sg_hold_content content = {
        .head = sg_buf_bytes(&head),
        .body = m->body,
        .offset = m->headers.raw.len,
        .len = sg_spool_size(m->body) - m->headers.raw.len,
    };
    bool inserted;
    if (!lifetime_find(o, &lifetime, err))
        return false;
    row.expires_at = m->now + lifetime;
    /* The notices first: once the message is held it may be sent, and must not come again. */
    struct sg_tell tell = {
        .m = m, .domain = &o->own, .rcpts = g->rcpts, .count = g->count, .partner = partner_of(g)};
    if (!sg_tell_delayed(&tell, g->plan.code, row.next_try_at, err) ||
        !sg_hold_store(m->gw->db, m->gw->hsm, &row, &content, &inserted, err))
        return false;
    sg_trace_add(&m->trace, "held", g->plan.requirement, "recipient_domain", g->domain, "held",
                 inserted ? id.text : "before", "code", g->plan.code, NULL);
    return true;
}

void sg_keep_group(struct sg_outbound *o, struct sg_outbound_group *group)
{
    struct sg_error err = {0};
    bool ok = hold(o, group, &err);
    if (!ok)
        sg_log_error(SG_LOG_WARNING, "hold.failed", &err, "msg_id", o->m->msg_id, "tenant",
                     o->m->tenant, NULL);
    for (size_t i = 0; i < group->count; i++) {
        if (!ok) {
            sg_rcpt_defer(group->rcpts[i], &err);
            continue;
        }
        sg_rcpt_decide(group->rcpts[i], "held", "", group->plan.code);
        sg_smtp_reply_set(&group->rcpts[i]->reply, 250, "2.0.0", "%s held [Code: %s]", o->m->msg_id,
                          group->plan.code);
    }
}
