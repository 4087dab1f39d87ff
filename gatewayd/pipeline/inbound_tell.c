#include "pipeline/inbound_tell.h"

#include "common/log.h"
#include "pipeline/tell.h"
#include "smtp/address.h"

/* A stranger's domain is not what storms are folded by: there are as many as anybody likes. */
static const char *partner_of(const struct sg_inbound_judgement *j)
{
    return j->facts.from_member ? j->from_domain : "";
}

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
        .m = m, .domain = domain, .rcpts = rcpts, .count = count, .partner = partner_of(j)};
    return ours_tell(&tell, j, err) && receipt_tell(&tell, j, err);
}

void sg_inbound_tell_after(struct sg_message *m, const struct sg_domain_row *domain,
                           struct sg_rcpt **rcpts, size_t count,
                           const struct sg_inbound_judgement *j)
{
    struct sg_rcpt **refused = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, count + 1);
    struct sg_tell tell = {.m = m, .domain = domain, .rcpts = refused, .partner = partner_of(j)};
    struct sg_error err = {0};
    for (size_t i = 0; i < count; i++)
        if (strcmp(rcpts[i]->outcome, "refused") == 0)
            refused[tell.count++] = rcpts[i];
    if (tell.count == 0 || sg_tell_undelivered(&tell, authenticated(m, j), &err))
        return;
    sg_log_error(SG_LOG_WARNING, "notice.failed", &err, "msg_id", m->msg_id, NULL);
    for (size_t i = 0; i < tell.count; i++)
        sg_rcpt_defer(refused[i], &err);
}
