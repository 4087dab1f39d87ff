#include "pipeline/inbound_tell.h"

#include "common/log.h"
#include "pipeline/tell.h"
#include "schema/policy.h"
#include "smtp/address.h"
#include "trigger/trigger.h"

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

/* Is the word there, in what is delivered? */
static bool rsvpdr_find(struct sg_message *m, const struct sg_inbound_judgement *j, bool *found_r,
                        struct sg_error *err)
{
    struct sg_trigger_options options = {.limits = m->gw->trigger};
    struct sg_trigger_found found = {0};
    struct sg_header_block block = {0};
    bool opened = j->is_smime && j->opened.changed;
    const struct sg_header_block *inner = opened ? &j->opened.headers : &m->headers;
    const struct sg_header *subject = sg_header_find(&m->headers, "Subject", 0);
    uint64_t offset = m->headers.body_offset;
    block.fields = SG_ARENA_ARRAY(m->arena, struct sg_header, inner->count + 1);
    for (size_t i = 0; i < inner->count; i++)
        if (!sg_bytes_iequal(inner->fields[i].name, "Subject"))
            block.fields[block.count++] = inner->fields[i];
    if (subject) /* the outer one is shown */
        block.fields[block.count++] = *subject;
    bool ok = opened ? sg_trigger_scan(m->arena, &block, j->opened.body, j->opened.offset,
                                       j->opened.len, &options, &found, err)
                     : sg_trigger_scan(m->arena, &block, m->body, offset,
                                       sg_spool_size(m->body) - offset, &options, &found, err);
    *found_r = (found.words & SG_TRIGGER_RSVPDR) != 0;
    return ok;
}

/* REQ-75: of others it is looked for only where the domain sends them receipts. */
static bool receipt_tell(const struct sg_tell *t, const struct sg_inbound_judgement *j,
                         struct sg_error *err)
{
    struct sg_domain_policy policy;
    bool wanted = false;
    if (!authenticated(t->m, j)) {
        if (!sg_domain_policy_load(t->m->gw->db, t->m->arena, t->domain->id, &policy, err))
            return false;
        if (!policy.receipts_for_unauthenticated)
            return true;
    }
    return rsvpdr_find(t->m, j, &wanted, err) &&
           (!wanted || sg_tell_receipt(t, authenticated(t->m, j), err));
}

bool sg_inbound_tell_before(struct sg_message *m, const struct sg_domain_row *domain,
                            struct sg_rcpt **rcpts, size_t count,
                            const struct sg_inbound_judgement *j, struct sg_error *err)
{
    struct sg_tell tell = {
        .m = m, .domain = domain, .rcpts = rcpts, .count = count, .partner = partner_of(j)};
    bool certificate = strncmp(j->plan.code, "10", 2) == 0;
    return (!certificate || sg_tell_unverified(&tell, j->plan.code, err)) &&
           receipt_tell(&tell, j, err);
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
