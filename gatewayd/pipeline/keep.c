#include "pipeline/keep.h"

#include "common/log.h"
#include "hold/hold.h"
#include "pipeline/metrics.h"
#include "pipeline/rewrite.h"
#include "schema/policy.h"

sg_time sg_keep_next_try(const struct sg_gateway *gw, int attempts, sg_time now)
{
    sg_time wait = gw->hold_retry_first;
    for (int i = 0; i < attempts && wait < gw->hold_retry_most; i++)
        wait *= 2;
    return now + (wait < gw->hold_retry_most ? wait : gw->hold_retry_most);
}

static const char *field_text(struct sg_message *m, const char *name)
{
    const struct sg_header *field = sg_header_find(&m->headers, name, 0);
    return field ? sg_header_unfold(m->arena, field) : "";
}

void sg_notice_content_of(struct sg_message *m, const char *kind, const char *codes,
                          struct sg_rcpt **rcpts, size_t count, struct sg_notice_content *content_r)
{
    char *arrival = sg_arena_alloc(m->arena, 40);
    sg_time_rfc5322(m->received_at, arrival);
    *content_r = (struct sg_notice_content){
        .kind = kind,
        .codes = codes,
        .to = field_text(m, "To"),
        .from = field_text(m, "From"),
        .date = field_text(m, "Date"),
        .subject = field_text(m, "Subject"),
        .arrival = arrival,
        .recipients = SG_ARENA_ARRAY(m->arena, struct sg_notice_recipient, count + 1),
        .recipient_count = count,
    };
    for (size_t i = 0; i < count; i++)
        content_r->recipients[i] = (struct sg_notice_recipient){
            rcpts[i]->address, rcpts[i]->reply.enhanced, rcpts[i]->remote};
}

bool sg_keep_notice(struct sg_message *m, const char *domain_id, const char *recipient,
                    const struct sg_notice_content *content, struct sg_error *err)
{
    struct sg_id id = sg_id_new("ntc");
    sg_time now = sg_clock_now();
    struct sg_notice_row row = {.id = id.text,
                                .msg_id = m->msg_id,
                                .tenant_id = m->tenant,
                                .domain_id = domain_id,
                                .kind = content->kind,
                                .recipient = recipient,
                                .about =
                                    content->recipient_count ? content->recipients[0].address : "",
                                .created_at = now,
                                .next_try_at = now};
    bool inserted;
    if (!sg_notice_post(m->gw->db, m->gw->hsm, &row, content, &inserted, err))
        return false;
    sg_trace_add(&m->trace, "notice", "REQ-57", "kind", content->kind, "to", recipient, "notice",
                 inserted ? row.id : "told before", NULL);
    return true;
}

/* Table 1: the sender, and the postmaster of the sender's domain. Never for the null sender. */
static bool delayed_notices(struct sg_outbound *o, struct sg_outbound_group *g,
                            struct sg_error *err)
{
    struct sg_message *m = o->m;
    const char *postmaster = sg_arena_printf(m->arena, "postmaster@%s", o->own.name);
    struct sg_notice_content content;
    if (!*m->sender)
        return true;
    for (size_t i = 0; i < g->count; i++) {
        sg_smtp_reply_set(&g->rcpts[i]->reply, 250, "4.7.5", "held");
        g->rcpts[i]->remote = g->plan.explanation;
    }
    sg_notice_content_of(m, "delayed", g->plan.code, g->rcpts, g->count, &content);
    content.hours = (int)((m->gw->hold_retry_first / SG_SECOND + 3599) / 3600);
    return sg_keep_notice(m, o->own.id, m->return_path, &content, err) &&
           (strcmp(m->sender, postmaster) == 0 ||
            sg_keep_notice(m, o->own.id, postmaster, &content, err));
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
    if (!delayed_notices(o, g, err) ||
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
