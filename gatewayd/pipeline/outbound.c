#include "pipeline/outbound.h"

#include "crash/crash.h"
#include "pipeline/deliver.h"
#include "pipeline/metrics.h"
#include "pipeline/rewrite.h"
#include "pipeline/scan.h"
#include "schema/exception.h"
#include "schema/member_domain.h"
#include "smtp/address.h"

/* To and Cc, one address a line: who is not among them is a blind copy's recipient. */
static void visible_collect(struct sg_outbound *o)
{
    static const char *const names[] = {"To", "Cc", "Resent-To", "Resent-Cc"};
    struct sg_message *m = o->m;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct sg_header *field = NULL;
        while ((field = sg_header_next(&m->headers, names[i], field))) {
            struct sg_mailbox *list;
            size_t count;
            if (!sg_mailbox_list_parse(m->arena, field, &list, &count, NULL))
                continue;
            for (size_t k = 0; k < count; k++)
                sg_buf_addf(&o->visible, "\n%s\n", sg_address_normalise(m->arena, list[k].address));
        }
    }
}

/* REQ-65, 66, 136: whose From is it. */
static bool from_facts(struct sg_outbound *o, struct sg_error *err)
{
    struct sg_message *m = o->m;
    struct sg_mailbox *list;
    size_t count = sg_message_from(m, &list);
    const char *sender_domain = *m->sender ? sg_address_domain(m->sender) : NULL;
    o->facts.from_fields = sg_header_count(&m->headers, "From");
    o->facts.from_mailboxes = count;
    o->facts.from_domain_owned = count > 0;
    o->facts.from_matches_sender = count > 0 && (!*m->sender || sender_domain);
    for (size_t i = 0; i < count; i++) {
        struct sg_domain_row row = {0};
        bool found = false;
        if (!sg_domain_find_by_name(m->gw->db, m->arena, list[i].domain, &row, &found, err))
            return false;
        bool own = found && strcmp(row.tenant_id, m->tenant) == 0;
        if (own && sg_domain_waits(&row))
            return sg_fail(err, SG_E_BUSY, "the domain is suspended");
        if (!own || !sg_domain_active(&row))
            o->facts.from_domain_owned = false;
        if (sender_domain && strcmp(sender_domain, list[i].domain) != 0)
            o->facts.from_matches_sender = false;
        if (i == 0)
            o->own = row;
    }
    return true;
}

bool sg_outbound_begin(struct sg_outbound *o, struct sg_message *m, bool submitted,
                       struct sg_error *err)
{
    memset(o, 0, sizeof *o);
    o->m = m;
    o->facts.submission_valid = submitted;
    sg_buf_init(&o->entity, m->gw->headers.max_bytes);
    sg_buf_init(&o->signature, m->gw->max_cms_bytes);
    sg_buf_init(&o->visible, 4 * m->gw->headers.max_bytes);
    if (!submitted)
        return true;
    if (!from_facts(o, err))
        return false;
    visible_collect(o);
    sg_rewrite_entity(&m->headers, &o->entity);
    return true;
}

void sg_outbound_end(struct sg_outbound *o)
{
    sg_keyring_free(&o->keyring);
    sg_buf_free(&o->entity);
    sg_buf_free(&o->signature);
    sg_buf_free(&o->visible);
}

void sg_outbound_group_free(struct sg_outbound_group *group)
{
    X509_free(group->found.certificate);
    group->found.certificate = NULL;
}

bool sg_outbound_own_certificate(struct sg_outbound *o, struct sg_error *err)
{
    struct sg_message *m = o->m;
    if (o->signer_looked_up)
        return true;
    struct sg_cert_facts cert = {0};
    sg_keyring_free(&o->keyring); /* of a time at which nothing could be found out */
    if (!sg_keyring_load(m->gw, m->arena, o->own.id, o->own.name, &o->keyring, err) ||
        !sg_keyring_signer(&o->keyring, m->arena, m->now, &o->signer, &cert, err))
        return false;
    o->signer_looked_up = true;
    o->facts.own =
        o->keyring.count == 0 ? SG_POLICY_CERT_NONE : sg_policy_certificate_of(cert.status);
    sg_trace_add(&m->trace, "own-certificate", "REQ-67", "domain", o->own.name, "status",
                 sg_policy_certificate_name(o->facts.own), "serial", cert.serial, "detail",
                 cert.detail, NULL);
    return true;
}

static void trace_candidates(struct sg_message *m, const struct sg_outbound_group *g)
{
    for (size_t i = 0; i < g->found.candidate_count; i++) {
        const struct sg_cert_candidate *c = &g->found.candidates[i];
        sg_trace_add(&m->trace, "certificate-candidate", "REQ-36", "domain", g->domain, "source",
                     c->source, "status", sg_cert_status_name(c->facts.status), "detail",
                     c->facts.detail, "serial", c->facts.serial, "issuer", c->facts.issuer, NULL);
    }
    sg_trace_add(&m->trace, "discovery", "REQ-43", "domain", g->domain, "found",
                 g->found.certificate ? "yes" : "no", "detail", g->found.detail, NULL);
}

static enum sg_environment environment_of(const char *name)
{
    return strcmp(name, "seemail") == 0      ? SG_ENV_SEEMAIL
           : strcmp(name, "securemail") == 0 ? SG_ENV_SECUREMAIL
                                             : SG_ENV_NONE;
}

/* Once a message: what the sender's domain has chosen, and what the content says. */
static bool content_facts(struct sg_outbound *o, struct sg_error *err)
{
    struct sg_message *m = o->m;
    if (o->content_looked_at)
        return true;
    struct sg_trigger_found found;
    uint64_t offset = m->headers.body_offset;
    if (!sg_domain_policy_load(m->gw->db, m->arena, o->own.id, &o->policy, err) ||
        !sg_scan(m, &m->headers, m->body, offset, sg_spool_size(m->body) - offset,
                 o->policy.attachment_scanning, &found, err))
        return false;
    o->facts.triggers = found.words;
    o->facts.undecodable = found.undecodable;
    o->facts.sender_environment = environment_of(o->own.environment);
    o->facts.send_undecodable = strcmp(o->policy.undecodable_action, "send") == 0;
    o->content_looked_at = true;
    return true;
}

/* REQ-62, 91: who the recipient's domain is to us. */
static bool recipient_facts(struct sg_outbound *o, struct sg_outbound_group *g,
                            struct sg_outbound_facts *facts, struct sg_error *err)
{
    struct sg_message *m = o->m;
    bool member;
    size_t listed = 0;
    if (!sg_member_domain_find(m->gw->db, m->arena, g->domain, &g->environment, &member, err) ||
        !sg_exception_count(m->gw->db, m->arena, o->own.id, &g->domain, 1, m->now, &listed, err))
        return false;
    if (!member)
        g->environment = "";
    facts->recipient_environment = environment_of(g->environment);
    facts->excepted = listed > 0;
    return true;
}

static bool must_be_sealed(const struct sg_outbound_facts *facts)
{
    return facts->recipient_environment != SG_ENV_NONE || facts->excepted;
}

static enum sg_cert_change change_of(const char *name)
{
    return strcmp(name, "pin") == 0   ? SG_CERT_PIN
           : strcmp(name, "ask") == 0 ? SG_CERT_ASK
                                      : SG_CERT_REPLACE;
}

struct sg_cert_wanted sg_outbound_wanted(const struct sg_domain_policy *policy, const char *domain,
                                         sg_time now)
{
    return (struct sg_cert_wanted){.domain = domain,
                                   .now = now,
                                   .approval = policy->discovery_approval,
                                   .weak = policy->weak_algorithms,
                                   .change = change_of(policy->changed_certificate)};
}

bool sg_outbound_discovery_begin(struct sg_arena *arena, const char *domain, const char *relying,
                                 struct sg_error *err)
{
    /* What is read is partly of the domain that relies on it: no other's mail is to wait for that.
     */
    const char *id = sg_arena_printf(arena, "%s:%s", domain, relying);
    return sg_crash_begin(SG_CRASH_DISCOVERY, id, NULL, err);
}

void sg_outbound_discovery_end(void)
{
    sg_crash_end(false); /* The next question may read more than this one did. */
}

bool sg_outbound_discover(struct sg_gateway *gw, struct sg_arena *arena,
                          const struct sg_cert_wanted *wanted, struct sg_cert_found *found_r,
                          struct sg_error *err)
{
    if (!sg_outbound_discovery_begin(arena, wanted->domain, wanted->relying, err))
        return false;
    bool ok = sg_cert_discover(gw->certs, arena, wanted, found_r, err);
    sg_outbound_discovery_end();
    return ok;
}

/*
 * The certificate to encrypt to: a member's and a listed partner's is looked for; of anybody else
 * the store is asked (REQ-72), and the directories only where a certificate of his has lapsed.
 */
static bool certificate_find(struct sg_outbound *o, struct sg_outbound_group *g,
                             const struct sg_outbound_facts *facts, struct sg_error *err)
{
    struct sg_message *m = o->m;
    struct sg_cert_wanted wanted = sg_outbound_wanted(&o->policy, g->domain, m->now);
    wanted.relying = o->own.id;
    wanted.dry = m->dry;
    if (!must_be_sealed(facts)) {
        if (!o->policy.seal_to_correspondents)
            return true;
        wanted.correspondent = true;
        if (!sg_outbound_discover(m->gw, m->arena, &wanted, &g->found, err))
            return false;
        if (g->found.certificate || !g->found.any)
            return true;
        wanted.correspondent = false;
    }
    return sg_outbound_discover(m->gw, m->arena, &wanted, &g->found, err);
}

static bool certificate_facts(struct sg_outbound *o, struct sg_outbound_group *g,
                              struct sg_outbound_facts *facts, struct sg_error *err)
{
    if (!certificate_find(o, g, facts, err))
        return false;
    facts->correspondent = !must_be_sealed(facts) && g->found.any;
    if (!must_be_sealed(facts) && !facts->correspondent)
        return true;
    if (!sg_outbound_own_certificate(o, err))
        return false;
    trace_candidates(o->m, g);
    facts->own = o->facts.own;
    facts->recipient = g->found.certificate ? SG_POLICY_CERT_VALID
                       : !g->found.any      ? SG_POLICY_CERT_NONE
                                            : sg_policy_certificate_of(g->found.status);
    return true;
}

/* No certificate could change such a plan: none is looked for. */
static bool is_final(enum sg_action action)
{
    return action == SG_ACT_REFUSE || action == SG_ACT_FAIL || action == SG_ACT_QUARANTINE;
}

static bool facts_gather(struct sg_outbound *o, struct sg_outbound_group *g,
                         struct sg_outbound_facts *facts, struct sg_error *err)
{
    *facts = o->facts;
    facts->own = facts->recipient = SG_POLICY_CERT_NONE;
    facts->recipient_literal = g->domain[0] == '[';
    if (sg_policy_outbound(facts).action == SG_ACT_REFUSE)
        return true;
    if (!content_facts(o, err))
        return false;
    facts->sender_environment = o->facts.sender_environment;
    facts->triggers = o->facts.triggers;
    facts->undecodable = o->facts.undecodable;
    facts->send_undecodable = o->facts.send_undecodable;
    return recipient_facts(o, g, facts, err) &&
           (is_final(sg_policy_outbound(facts).action) || certificate_facts(o, g, facts, err));
}

bool sg_outbound_decide(struct sg_outbound *o, struct sg_outbound_group *group,
                        struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_DECIDE);
    struct sg_message *m = o->m;
    struct sg_outbound_facts facts;
    char words[SG_POLICY_WORDS_MAX];
    group->environment = "";
    if (!facts_gather(o, group, &facts, err))
        return false;
    group->plan = sg_policy_outbound(&facts);
    sg_policy_outbound_words(&facts, words, sizeof words);
    sg_trace_add(&m->trace, "decided", group->plan.requirement, "recipient_domain", group->domain,
                 "environment", *group->environment ? group->environment : "none", "rule",
                 group->plan.rule, "action", sg_action_name(group->plan.action), "code",
                 *group->plan.code ? group->plan.code : NULL, "because", group->plan.explanation,
                 "facts", words, NULL);
    return true;
}

/* REQ-11: on, unchanged in every byte but for the proof of submission. */
void sg_outbound_plain(struct sg_message *m, struct sg_rcpt **plain, size_t count)
{
    SG_AUTO_BUF head = {0};
    sg_rewrite_plain_outbound(&m->headers, &head);
    struct sg_smtp_piece pieces[] = {
        {.bytes = sg_buf_bytes(&head)},
        {.spool = m->body, .offset = m->headers.raw.len, .len = UINT64_MAX}};
    sg_deliver_reentry(m, plain, count, pieces, 2, "plain");
}
