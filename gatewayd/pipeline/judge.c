/* Opening a message and gathering the facts that the rules need. */
#include "pipeline/inbound.h"

#include "pipeline/metrics.h"
#include "pipeline/origin.h"
#include "pipeline/rewrite.h"
#include "pipeline/scan.h"

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
                         struct sg_inbound_judgement *j, struct sg_error *err)
{
    struct sg_inbound_facts *facts = &j->facts;
    struct sg_cert_facts cert = {0};
    struct sg_cert_question question = {.certificate = signer->certificate,
                                        .untrusted = layer->certificates,
                                        .use = SG_CERT_SIGN,
                                        .domain = from_count ? from[0].domain : "",
                                        .relying = relying,
                                        .now = m->now};
    j->signer = signer->certificate;
    j->signer_came_with = layer->certificates;
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
                               size_t from_count, struct sg_inbound_judgement *j,
                               struct sg_error *err)
{
    for (size_t i = 0; i < layer->signer_count; i++) {
        const struct sg_smime_signer_info *signer = &layer->signers[i];
        if (!signer->certificate || !sg_cert_is_domain_authority(signer->certificate))
            continue;
        return j->facts.domain_signed ||
               signer_facts(m, layer, signer, relying, from, from_count, j, err);
    }
    sg_trace_add(&m->trace, "signature", "REQ-12", "result", layer_result_name(layer->result),
                 "detail", "not a domain's signature: left on", NULL);
    return true;
}

/*
 * A signature outside of an envelope covers a ciphertext, which anybody may have made: of what was
 * in it nobody is shown to be the author. Inner layers are judged for themselves.
 */
static void outer_signature_forget(struct sg_message *m, struct sg_inbound_judgement *j)
{
    struct sg_inbound_facts *facts = &j->facts;
    j->signer = NULL;
    if (facts->domain_signed)
        sg_trace_add(&m->trace, "signature", "REQ-22", "result", "ok", "detail",
                     "outside of the envelope: says nothing of what is inside", NULL);
    facts->domain_signed = facts->signature_good = false;
    facts->signer_is_domain = facts->signer_names_from = false;
    facts->signer = SG_POLICY_CERT_NONE;
}

/* REQ-86, 174: what was on its way when a certificate of ours was revoked or expired is opened, and
 * said to be. */
static bool own_facts(struct sg_message *m, const struct sg_smime_layer *layer,
                      const struct sg_keyring *keyring, struct sg_inbound_facts *facts,
                      struct sg_error *err)
{
    const struct sg_keyring_item *item = &keyring->items[layer->own_key];
    struct sg_cert_facts cert = {.status = SG_CERT_REVOKED, .detail = "revoked here", .serial = ""};
    struct sg_cert_question question = {.certificate = item->certificate,
                                        .untrusted = item->chain,
                                        .use = SG_CERT_ENCRYPT,
                                        .domain = keyring->domain,
                                        .now = m->now};
    if (!item->revoked && !sg_cert_check(m->gw->certs, m->arena, &question, &cert, err))
        return false;
    facts->own = sg_policy_certificate_of(cert.status);
    if (facts->own != SG_POLICY_CERT_VALID)
        sg_trace_add(&m->trace, "own-certificate", "REQ-86", "status",
                     sg_policy_certificate_name(facts->own), "detail", cert.detail, "serial",
                     cert.serial, "key", item->key.id, NULL);
    return true;
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
            outer_signature_forget(m, j);
            if (!own_facts(m, layer, keyring, facts, err))
                return false;
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
        else if (!signed_layer_facts(m, layer, keyring->domain_id, from, from_count, j, err))
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
    struct sg_origin origin;
    *j_r = (struct sg_inbound_judgement){
        .facts = {.signer = SG_POLICY_CERT_NONE, .own = SG_POLICY_CERT_NONE},
        .from_domain = "",
        .signer_domain = ""};
    j_r->is_smime = sg_smime_is(m->arena, &m->headers);
    if (!sg_origin_facts(m, domain, &j_r->facts, &origin, err))
        return false;
    if (origin.from_count)
        j_r->from_domain = origin.from[0].domain;
    bool ok =
        (!j_r->is_smime || open_and_judge(m, domain, j_r, origin.from, origin.from_count, err)) &&
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
