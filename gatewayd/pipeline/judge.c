/* Opening a message and gathering the facts that the rules need. */
#include "pipeline/inbound.h"

#include "pipeline/layers.h"
#include "pipeline/metrics.h"
#include "pipeline/origin.h"
#include "pipeline/rewrite.h"
#include "pipeline/scan.h"

static bool open_and_judge(struct sg_message *m, const struct sg_domain_row *domain,
                           const struct sg_origin *origin, struct sg_inbound_judgement *j,
                           struct sg_error *err)
{
    SG_AUTO_KEYRING keyring = {0};
    return sg_keyring_load(m->gw, m->arena, domain->id, domain->name, &keyring, err) &&
           sg_layers_open(m, &keyring, origin, j, err) &&
           sg_layers_facts(m, &keyring, origin, j, err);
}

bool sg_inbound_gather(struct sg_message *m, const struct sg_domain_row *domain,
                       struct sg_inbound_judgement *j_r, struct sg_error *err)
{
    struct sg_origin origin;
    *j_r = (struct sg_inbound_judgement){
        .facts = {.signer = SG_POLICY_CERT_NONE, .own = SG_POLICY_CERT_NONE},
        .from_domain = "",
        .member_domain = "",
        .signer_domain = ""};
    j_r->is_smime = sg_smime_is(m->arena, &m->headers);
    if (!sg_origin_facts(m, domain, &j_r->facts, &origin, err))
        return false;
    if (origin.from_count)
        j_r->from_domain = origin.from[0].domain;
    j_r->member_domain = origin.member;
    bool ok = (!j_r->is_smime || open_and_judge(m, domain, &origin, j_r, err)) &&
              sg_origin_lists(m, domain, &origin, &j_r->facts, err);
    if (!ok)
        sg_inbound_judgement_free(j_r);
    return ok;
}

/* What would be delivered: the entity that was reached, or the message as it came. */
static bool content_scan(struct sg_message *m, struct sg_inbound_judgement *j, struct sg_error *err)
{
    struct sg_trigger_found found;
    bool opened = j->is_smime && j->opened.changed, attachments = j->policy.attachment_scanning;
    uint64_t offset = m->headers.body_offset;
    struct sg_header_block block = m->headers;
    if (opened) { /* the subject is the outer one, which alone is shown */
        block.count = 0;
        block.fields = SG_ARENA_ARRAY(m->arena, struct sg_header,
                                      m->headers.count + j->opened.headers.count + 1);
        for (size_t i = 0; i < m->headers.count; i++)
            if (!sg_rewrite_is_content(&m->headers.fields[i]))
                block.fields[block.count++] = m->headers.fields[i];
        for (size_t i = 0; i < j->opened.headers.count; i++)
            if (sg_rewrite_is_content(&j->opened.headers.fields[i]))
                block.fields[block.count++] = j->opened.headers.fields[i];
    }
    if (!(opened ? sg_scan(m, &block, j->opened.body, j->opened.offset, j->opened.len, attachments,
                           &found, err)
                 : sg_scan(m, &block, m->body, offset, sg_spool_size(m->body) - offset, attachments,
                           &found, err)))
        return false;
    j->facts.triggers = found.words;
    if (found.smime_where && !sg_smime_is(m->arena, &block))
        sg_trace_add(&m->trace, "smime-inside", "REQ-18", "where", found.smime_where, "detail",
                     "signed or encrypted is a part of the message and not the message (it was "
                     "forwarded, or a list server has put something beside it): left as it is, and "
                     "nothing is claimed for it",
                     NULL);
    return true;
}

static bool decide(struct sg_message *m, const struct sg_domain_row *domain,
                   struct sg_inbound_judgement *j, struct sg_error *err)
{
    char words[SG_POLICY_WORDS_MAX];
    if (!sg_domain_policy_load(m->gw->db, m->arena, domain->id, &j->policy, err) ||
        !content_scan(m, j, err))
        return false;
    j->facts.delete_unverified = strcmp(j->policy.unverified_action, "delete") == 0;
    j->facts.warning_only = strcmp(j->policy.unknown_encrypted, "warning_only") == 0;
    j->plan = sg_policy_inbound(&j->facts);
    if (j->plan.action == SG_ACT_DELIVER && j->facts.domain_signed)
        j->signer_domain = j->from_domain;
    sg_policy_inbound_words(&j->facts, words, sizeof words);
    sg_trace_add(&m->trace, "decided", j->plan.requirement, "domain", domain->name, "rule",
                 j->plan.rule, "action", sg_action_name(j->plan.action), "code",
                 *j->plan.code ? j->plan.code : NULL, "because", j->plan.explanation, "facts",
                 words, NULL);
    return true;
}

bool sg_inbound_judge(struct sg_message *m, const struct sg_domain_row *domain,
                      struct sg_inbound_judgement *j_r, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_JUDGE);
    if (!sg_inbound_gather(m, domain, j_r, err))
        return false;
    bool ok = decide(m, domain, j_r, err);
    if (!ok)
        sg_inbound_judgement_free(j_r);
    return ok;
}

const char *sg_inbound_codes(struct sg_arena *arena, const struct sg_plan *plan)
{
    const char *comma = strchr(plan->code, ',');
    return !comma ? plan->code
                  : sg_arena_printf(arena, "%.*s, %s", (int)(comma - plan->code), plan->code,
                                    comma + 1);
}

void sg_inbound_judgement_free(struct sg_inbound_judgement *j)
{
    if (j->is_smime)
        sg_smime_opened_free(&j->opened);
    j->is_smime = false;
}
