/* Opening a message and gathering the facts that the rules need. */
#include "pipeline/inbound.h"

#include "pipeline/metrics.h"
#include "pipeline/rewrite.h"
#include "schema/member_domain.h"

static bool is_domain_signer(void *ctx, const X509 *certificate)
{
    (void)ctx;
    return sg_cert_is_domain_authority(certificate);
}

static const char *layer_result_name(enum sg_smime_result result)
{
    static const char *const names[] = {
        "ok",          "altered",   "not-for-us",    "undecryptable",
        "unsupported", "malformed", "no-certificate"};
    return names[result];
}

/* REQ-47, 65: who does From say it is, and do these take part in Secure Email. */
static bool from_facts(struct sg_message *m, const char *own_domain, struct sg_inbound_facts *facts,
                       struct sg_mailbox **list_r, size_t *count_r, struct sg_error *err)
{
    size_t fields = sg_header_count(&m->headers, "From");
    *count_r = sg_message_from(m, list_r);
    facts->from_readable = fields == 0 || (fields == 1 && *count_r > 0);
    for (size_t f = 0; f < fields; f++) {
        struct sg_mailbox *list;
        size_t count;
        if (!sg_mailbox_list_parse(m->arena, sg_header_find(&m->headers, "From", f), &list, &count,
                                   NULL))
            continue;
        for (size_t i = 0; i < count; i++) {
            const char *environment;
            bool member = false;
            if (!sg_member_domain_find(m->gw->db, m->arena, list[i].domain, &environment, &member,
                                       err))
                return false;
            facts->from_member |= member;
            facts->from_own |= strcmp(list[i].domain, own_domain) == 0;
        }
    }
    return true;
}

static void claim_facts(const struct sg_message *m, struct sg_inbound_facts *facts)
{
    for (size_t i = 0; i < m->headers.count; i++)
        if (sg_rewrite_is_claim(&m->headers.fields[i]) || sg_rewrite_is_ours(&m->headers.fields[i]))
            facts->claims_secure = true;
}

static bool signer_names_all(const X509 *certificate, const struct sg_mailbox *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!sg_cert_speaks_for(certificate, from[i].domain))
            return false;
    return count > 0;
}

/* One domain signature: what it covers fits or not, and whose certificate it is (REQ-36), to the
 * roots that the recipient's domain relies on (REQ-180). */
static bool signer_facts(struct sg_message *m, const struct sg_smime_layer *layer,
                         const struct sg_smime_signer_info *signer, const char *relying,
                         const struct sg_mailbox *from, size_t from_count,
                         struct sg_inbound_facts *facts, struct sg_error *err)
{
    struct sg_cert_facts cert = {0};
    struct sg_cert_question question = {.certificate = signer->certificate,
                                        .untrusted = layer->certificates,
                                        .use = SG_CERT_SIGN,
                                        .domain = from_count ? from[0].domain : "",
                                        .relying = relying,
                                        .now = m->now};
    facts->domain_signed = true;
    /* Beside a signature that does not fit, a good one says nothing: the layer stays on. */
    facts->signature_good = signer->result == SG_SMIME_OK && layer->result == SG_SMIME_OK;
    facts->signer_is_domain = sg_cert_is_domain_authority(signer->certificate);
    facts->signer_names_from = signer_names_all(signer->certificate, from, from_count);
    if (!sg_cert_check(m->gw->certs, m->arena, &question, &cert, err))
        return false;
    facts->signer = sg_policy_certificate_of(cert.status);
    sg_trace_add(&m->trace, "signature", "REQ-22", "result", layer_result_name(signer->result),
                 "digest", signer->digest, "algorithm", signer->signature, "detail", signer->detail,
                 "certificate", sg_cert_status_name(cert.status), "certificate_detail", cert.detail,
                 "subject", cert.subject, "issuer", cert.issuer, "serial", cert.serial, "address",
                 cert.address, NULL);
    return true;
}

/* The first domain signer decides; an individual's signature proves integrity, no domain. */
static bool signed_layer_facts(struct sg_message *m, const struct sg_smime_layer *layer,
                               const char *relying, const struct sg_mailbox *from,
                               size_t from_count, struct sg_inbound_facts *facts,
                               struct sg_error *err)
{
    for (size_t i = 0; i < layer->signer_count; i++) {
        const struct sg_smime_signer_info *signer = &layer->signers[i];
        if (!signer->certificate || !sg_cert_is_domain_authority(signer->certificate))
            continue;
        return facts->domain_signed ||
               signer_facts(m, layer, signer, relying, from, from_count, facts, err);
    }
    sg_trace_add(&m->trace, "signature", "REQ-12", "result", layer_result_name(layer->result),
                 "detail", "not a domain's signature: left on", NULL);
    return true;
}

/*
 * A signature outside of an envelope covers a ciphertext, which anybody may have made: of what was
 * in it nobody is shown to be the author. Inner layers are judged for themselves.
 */
static void outer_signature_forget(struct sg_message *m, struct sg_inbound_facts *facts)
{
    if (facts->domain_signed)
        sg_trace_add(&m->trace, "signature", "REQ-22", "result", "ok", "detail",
                     "outside of the envelope: says nothing of what is inside", NULL);
    facts->domain_signed = facts->signature_good = false;
    facts->signer_is_domain = facts->signer_names_from = false;
    facts->signer = SG_POLICY_CERT_NONE;
}

/* REQ-174: what was on its way when a certificate of ours was revoked is opened, and said to be. */
static void own_facts(struct sg_message *m, const struct sg_smime_layer *layer,
                      const struct sg_keyring *keyring, struct sg_inbound_facts *facts)
{
    const struct sg_keyring_item *item = &keyring->items[layer->own_key];
    facts->own_revoked |= item->revoked;
    if (item->revoked)
        sg_trace_add(&m->trace, "own-certificate", "REQ-174", "status", "revoked", "key",
                     item->key.id, NULL);
}

static bool layer_facts(struct sg_message *m, struct sg_inbound_judgement *j,
                        const struct sg_keyring *keyring, const struct sg_mailbox *from,
                        size_t from_count, struct sg_error *err)
{
    struct sg_inbound_facts *facts = &j->facts;
    for (size_t i = 0; i < j->opened.layer_count; i++) {
        const struct sg_smime_layer *layer = &j->opened.layers[i];
        bool for_us = layer->kind == SG_SMIME_ENVELOPED && layer->result != SG_SMIME_NOT_FOR_US &&
                      layer->result != SG_SMIME_UNSUPPORTED;
        facts->encrypted |= layer->kind == SG_SMIME_ENVELOPED;
        facts->for_us |= for_us;
        if (for_us && layer->result == SG_SMIME_OK) {
            outer_signature_forget(m, facts);
            own_facts(m, layer, keyring, facts);
            /* Integrity is the innermost envelope's: an AEAD, or a good signature inside of it
             * (ARCHITECTURE). What is around it covers a ciphertext, which anybody may have. */
            facts->integrity = layer->authenticated;
        }
        facts->unsupported |= layer->result == SG_SMIME_UNSUPPORTED;
        facts->malformed |=
            layer->result == SG_SMIME_MALFORMED || layer->result == SG_SMIME_UNDECRYPTABLE;
        facts->opened |= for_us && layer->result == SG_SMIME_OK;
        if (layer->kind == SG_SMIME_ENVELOPED)
            sg_trace_add(&m->trace, "envelope", "REQ-87", "result",
                         layer_result_name(layer->result), "cipher", layer->cipher, "detail",
                         layer->detail, NULL);
        else if (!signed_layer_facts(m, layer, keyring->domain_id, from, from_count, facts, err))
            return false;
        facts->integrity |=
            facts->opened && layer->kind == SG_SMIME_SIGNED && layer->result == SG_SMIME_OK;
    }
    return true;
}

static bool open_layers(struct sg_message *m, const struct sg_keyring *keyring,
                        struct sg_inbound_judgement *j, struct sg_error *err)
{
    struct sg_smime_own_key *own =
        SG_ARENA_ARRAY(m->arena, struct sg_smime_own_key, keyring->count + 1);
    for (size_t i = 0; i < keyring->count; i++)
        own[i] = (struct sg_smime_own_key){keyring->items[i].certificate, &keyring->items[i]};
    struct sg_smime_options options = {
        .own = own,
        .own_count = keyring->count,
        .decrypt_cek = sg_keyring_decrypt,
        .is_domain_signer = is_domain_signer,
        .spool = m->gw->spool,
        .headers = m->gw->headers,
        .max_layers = m->gw->max_layers,
        .max_cms_bytes = m->gw->max_cms_bytes,
    };
    uint64_t offset = m->headers.body_offset;
    return sg_smime_open(m->arena, &m->headers, m->body, offset, sg_spool_size(m->body) - offset,
                         &options, &j->opened, err);
}

static bool open_and_judge(struct sg_message *m, const struct sg_domain_row *domain,
                           struct sg_inbound_judgement *j, const struct sg_mailbox *from,
                           size_t from_count, struct sg_error *err)
{
    SG_AUTO_KEYRING keyring = {0};
    return sg_keyring_load(m->gw, m->arena, domain->id, domain->name, &keyring, err) &&
           open_layers(m, &keyring, j, err) && layer_facts(m, j, &keyring, from, from_count, err);
}

bool sg_inbound_gather(struct sg_message *m, const struct sg_domain_row *domain,
                       struct sg_inbound_judgement *j_r, struct sg_error *err)
{
    struct sg_mailbox *from = NULL;
    size_t from_count = 0;
    *j_r = (struct sg_inbound_judgement){
        .facts = {.signer = SG_POLICY_CERT_NONE}, .from_domain = "", .signer_domain = ""};
    j_r->is_smime = sg_smime_is(m->arena, &m->headers);
    claim_facts(m, &j_r->facts);
    if (!from_facts(m, domain->name, &j_r->facts, &from, &from_count, err))
        return false;
    if (from_count)
        j_r->from_domain = from[0].domain;
    if (j_r->is_smime && !open_and_judge(m, domain, j_r, from, from_count, err)) {
        sg_inbound_judgement_free(j_r);
        return false;
    }
    return true;
}

bool sg_inbound_judge(struct sg_message *m, const struct sg_domain_row *domain,
                      struct sg_inbound_judgement *j_r, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_JUDGE);
    if (!sg_inbound_gather(m, domain, j_r, err))
        return false;
    j_r->plan = sg_policy_inbound(&j_r->facts);
    if (j_r->plan.action == SG_ACT_DELIVER && j_r->facts.domain_signed)
        j_r->signer_domain = j_r->from_domain;
    sg_trace_add(&m->trace, "decided", j_r->plan.requirement, "domain", domain->name, "rule",
                 j_r->plan.rule, "action", sg_action_name(j_r->plan.action), "code",
                 *j_r->plan.code ? j_r->plan.code : NULL, "because", j_r->plan.explanation, NULL);
    return true;
}

void sg_inbound_judgement_free(struct sg_inbound_judgement *j)
{
    if (j->is_smime)
        sg_smime_opened_free(&j->opened);
    j->is_smime = false;
}
