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

/* REQ-93: of a postmaster's mail, and of an answer, nobody is told that the field was missing. */
static bool header_missed(struct sg_message *m, const struct sg_inbound_judgement *j)
{
    return j->plan.action == SG_ACT_DELIVER && j->plan.tell && *m->sender &&
           !sg_notice_is_postmaster(m->arena, m->sender);
}

/* Table 1: a certificate that is not good, theirs or ours, is our postmaster's to know (REQ-41);
 * never the other side's (REQ-95). */
static bool ours_tell(const struct sg_tell *t, const struct sg_inbound_judgement *j,
                      struct sg_error *err)
{
    const char *code = j->plan.code;
    if (strncmp(code, "10", 2) == 0 || strncmp(code, "11", 2) == 0)
        return sg_tell_unverified(t, sg_inbound_codes(t->m->arena, &j->plan), err);
    if (strcmp(code, "009") == 0)
        return sg_tell_administrator(t, SG_NOTICE_SYSTEM_FAILURE, code, "", err);
    if (strcmp(code, "004") == 0)
        return sg_tell_administrator(t, SG_NOTICE_BREACH, code, "", err);
    return !header_missed(t->m, j) ||
           sg_tell_administrator(t, SG_NOTICE_SYSTEM_WARNING, "", "", err);
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
