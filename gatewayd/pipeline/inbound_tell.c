#include "pipeline/inbound_tell.h"

#include "common/log.h"
#include "pipeline/tell.h"
#include "smtp/address.h"

/* The signature proves the domain in From. Who is told is the envelope's sender, whom anybody who
 * sends a signed message on may have chosen: it must be of the same domain. */
static bool authenticated(const struct sg_message *m, const struct sg_inbound_judgement *j)
{
    const char *domain = sg_address_domain(m->sender);
    return *j->signer_domain && domain && strcmp(domain, j->signer_domain) == 0;
}

/* REQ-73, 75: asked for, of a message that is simply delivered; whether others than the
 * authenticated get one is the domain's choice. */
static bool receipt_tell(const struct sg_tell *t, const struct sg_inbound_judgement *j,
                         struct sg_error *err)
{
    bool simply = j->plan.action == SG_ACT_DELIVER || j->plan.action == SG_ACT_PLAIN;
    return !simply || (j->facts.triggers & SG_POLICY_RSVPDR) == 0 ||
           sg_tell_receipt(t, authenticated(t->m, j), err);
}

/* What our own side is told of; false: nothing. */
static bool exception_of(const struct sg_plan *plan, enum sg_notice_kind *kind_r)
{
    bool certificate = strncmp(plan->code, "10", 2) == 0 || strncmp(plan->code, "11", 2) == 0;
    bool header_missed = plan->action == SG_ACT_DELIVER && plan->tell;
    *kind_r = certificate                      ? SG_NOTICE_UNVERIFIED
              : strcmp(plan->code, "009") == 0 ? SG_NOTICE_SYSTEM_FAILURE
              : strcmp(plan->code, "004") == 0 ? SG_NOTICE_BREACH
                                               : SG_NOTICE_SYSTEM_WARNING;
    return *kind_r != SG_NOTICE_SYSTEM_WARNING || header_missed;
}

/* REQ-93: a postmaster's mail, and an answer, is the cause of no exception message, for whomever.
 */
static bool may_cause_one(struct sg_message *m, enum sg_notice_kind kind)
{
    if (*m->sender && !sg_notice_from_postmaster(m->arena, m->sender, &m->headers))
        return true;
    sg_trace_add(&m->trace, "no-notice", "REQ-93", "kind", sg_notice_kind_name(kind), "because",
                 *m->sender ? "from a postmaster" : "null sender", NULL);
    return false;
}

/* Table 1: a certificate that is not good, theirs or ours, is our postmaster's to know (REQ-41);
 * never the other side's (REQ-95). */
static bool ours_tell(const struct sg_tell *t, const struct sg_inbound_judgement *j,
                      struct sg_error *err)
{
    enum sg_notice_kind kind;
    if (!exception_of(&j->plan, &kind) || !may_cause_one(t->m, kind))
        return true;
    if (kind == SG_NOTICE_UNVERIFIED)
        return sg_tell_unverified(t, sg_inbound_codes(t->m->arena, &j->plan), err);
    return sg_tell_administrator(t, kind, kind == SG_NOTICE_SYSTEM_WARNING ? "" : j->plan.code, "",
                                 err);
}

bool sg_inbound_tell_before(struct sg_message *m, const struct sg_domain_row *domain,
                            struct sg_rcpt **rcpts, size_t count,
                            const struct sg_inbound_judgement *j, struct sg_error *err)
{
    struct sg_tell tell = {
        .m = m, .domain = domain, .rcpts = rcpts, .count = count, .partner = j->member_domain};
    return ours_tell(&tell, j, err) && receipt_tell(&tell, j, err);
}

/* Those of an outcome; the rest of the list is not written. */
static struct sg_tell tell_of(struct sg_message *m, const struct sg_domain_row *domain,
                              struct sg_rcpt **rcpts, size_t count,
                              const struct sg_inbound_judgement *j, const char *outcome)
{
    struct sg_tell tell = {.m = m,
                           .domain = domain,
                           .rcpts = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, count + 1),
                           .partner = j->member_domain};
    for (size_t i = 0; i < count; i++)
        if (strcmp(rcpts[i]->outcome, outcome) == 0)
            tell.rcpts[tell.count++] = rcpts[i];
    return tell;
}

static void refusals_tell(const struct sg_tell *t, bool sender_is_authenticated)
{
    struct sg_error err = {0};
    if (t->count == 0 || sg_tell_undelivered(t, sender_is_authenticated, &err))
        return;
    sg_log_error(SG_LOG_WARNING, "notice.failed", &err, "msg_id", t->m->msg_id, NULL);
    for (size_t i = 0; i < t->count; i++)
        sg_rcpt_defer(t->rcpts[i], &err);
}

/* REQ-184: once, after some time; where it cannot be posted now, the next try posts it. */
static void deferrals_tell(const struct sg_tell *t)
{
    struct sg_error err = {0};
    sg_time after = t->m->gw->notice_waiting;
    if (t->count == 0 || after == 0 || t->m->now - t->m->received_at < after ||
        sg_tell_waiting(t, &err))
        return;
    sg_log_error(SG_LOG_WARNING, "notice.failed", &err, "msg_id", t->m->msg_id, NULL);
}

void sg_inbound_tell_after(struct sg_message *m, const struct sg_domain_row *domain,
                           struct sg_rcpt **rcpts, size_t count,
                           const struct sg_inbound_judgement *j)
{
    struct sg_tell refused = tell_of(m, domain, rcpts, count, j, "refused");
    struct sg_tell deferred = tell_of(m, domain, rcpts, count, j, "deferred");
    refusals_tell(&refused, authenticated(m, j));
    if (authenticated(m, j))
        deferrals_tell(&deferred);
}
