#include "pipeline/layers.h"

#define MAX_AUTHORITIES 4 /* domain signers of one layer whose certificates are judged */

static const char *result_name(enum sg_smime_result result)
{
    static const char *const names[] = {
        "ok",          "altered",   "not-for-us",    "undecryptable",
        "unsupported", "malformed", "no-certificate"};
    return names[result];
}

/* Opening -------------------------------------------------------------------------------------- */

static bool is_domain_signer(void *ctx, const X509 *certificate)
{
    (void)ctx;
    return sg_cert_is_domain_authority(certificate);
}

/* REQ-82: the store, then the directories; each is asked at most once for a message, whatever its
 * layers. Directories speak of members alone: others' signatures make no lookup there. */
struct lookup {
    struct sg_message *m;
    const char *domain;  /* NULL: From names none */
    const char *relying; /* id of ours */
    bool published;
    unsigned done; /* rounds */
    struct sg_cert_signers found[2];
};

static bool lookup_ask(struct lookup *l, struct sg_error *err)
{
    struct sg_cert_signers *found = &l->found[l->done];
    struct sg_certs *certs = l->m->gw->certs;
    if (!(l->done == 0
              ? sg_cert_signers_stored(certs, l->m->arena, l->domain, l->relying, found, err)
              : sg_cert_signers_published(certs, l->m->arena, l->domain, found, err)))
        return false;
    l->done++;
    sg_trace_add(&l->m->trace, "signer-lookup", "REQ-82", "domain", l->domain, "detail",
                 found->detail, NULL);
    return true;
}

static bool certificates_elsewhere(void *ctx, unsigned round, STACK_OF(X509) **found_r,
                                   struct sg_error *err)
{
    struct lookup *l = ctx;
    *found_r = NULL;
    if (!l->domain || round > (l->published ? 1U : 0U))
        return true;
    if (round == l->done && !lookup_ask(l, err))
        return false;
    *found_r = l->found[round].certificates;
    return true;
}

bool sg_layers_open(struct sg_message *m, const struct sg_keyring *keyring,
                    const struct sg_origin *origin, struct sg_inbound_judgement *j,
                    struct sg_error *err)
{
    struct lookup lookup = {.m = m,
                            .domain = origin->from_count ? origin->from[0].domain : NULL,
                            .relying = keyring->domain_id,
                            .published = origin->from_count &&
                                         strcmp(origin->member, origin->from[0].domain) == 0};
    struct sg_smime_own_key *own =
        SG_ARENA_ARRAY(m->arena, struct sg_smime_own_key, keyring->count + 1);
    for (size_t i = 0; i < keyring->count; i++)
        own[i] = (struct sg_smime_own_key){keyring->items[i].certificate, &keyring->items[i]};
    struct sg_smime_options options = {
        .own = own,
        .own_count = keyring->count,
        .decrypt_cek = sg_keyring_decrypt,
        .is_domain_signer = is_domain_signer,
        .certificates_elsewhere = certificates_elsewhere,
        .ctx = &lookup,
        .spool = m->gw->spool,
        .budget = &m->budget,
        .taken_out = sg_message_taken_out(m),
        .headers = m->gw->headers,
        .max_layers = m->gw->max_layers,
        .max_cms_bytes = m->gw->max_cms_bytes,
        .max_certificates = m->gw->max_certificates,
        .max_elements = m->gw->max_elements,
        .max_signers = m->gw->max_signers,
        .max_tries = m->gw->max_tries,
    };
    uint64_t offset = m->headers.body_offset;
    sg_budget_begin(&m->budget, m->gw->message_cpu_ms);
    bool ok = sg_smime_open(m->arena, &m->headers, m->body, offset, sg_spool_size(m->body) - offset,
                            &options, &j->opened, err);
    for (unsigned i = 0; i < lookup.done; i++)
        sk_X509_pop_free(lookup.found[i].certificates, X509_free);
    return ok;
}

/* Signatures ----------------------------------------------------------------------------------- */

/* What the judgement of the layers works on. */
struct judging {
    struct sg_message *m;
    const struct sg_keyring *keyring;
    const struct sg_origin *origin;
    struct sg_inbound_judgement *j;
};

/* A domain's signer: what it covers fits or not, whose certificate it is (REQ-36). */
struct authority {
    const struct sg_smime_signer_info *signer;
    struct sg_cert_facts certificate;
    bool good; /* beside a signature that does not fit, a good one says nothing */
    bool names_from;
};

/* By the roots that the recipient's domain relies on (REQ-180). */
static bool authority_judge(const struct judging *g, const struct sg_smime_layer *layer,
                            const struct sg_smime_signer_info *signer, struct authority *a,
                            struct sg_error *err)
{
    struct sg_message *m = g->m;
    struct sg_cert_question question = {.certificate = signer->certificate,
                                        .untrusted = layer->certificates,
                                        .use = SG_CERT_SIGN,
                                        .domain =
                                            g->origin->from_count ? g->origin->from[0].domain : "",
                                        .relying = g->keyring->domain_id,
                                        .ours = g->keyring->domain_id,
                                        .lists = layer->lists,
                                        .list_count = layer->list_count,
                                        .now = m->now};
    *a = (struct authority){.signer = signer,
                            .good = signer->result == SG_SMIME_OK && layer->result == SG_SMIME_OK,
                            .names_from = sg_cert_speaks_for_all(
                                signer->certificate, g->origin->domains, g->origin->domain_count)};
    if (!sg_cert_check(m->gw->certs, m->arena, &question, &a->certificate, err))
        return false;
    const struct sg_cert_facts *cert = &a->certificate;
    sg_trace_add(&m->trace, "signature", "REQ-22", "result", result_name(signer->result), "digest",
                 signer->digest, "algorithm", signer->signature, "detail", signer->detail,
                 "certificate", sg_cert_status_name(cert->status), "certificate_detail",
                 cert->detail, "subject", cert->subject, "issuer", cert->issuer, "serial",
                 cert->serial, "address", cert->address, NULL);
    return true;
}

static int rank(const struct authority *a)
{
    return a->good && a->names_from && a->certificate.status == SG_CERT_VALID ? 3
           : a->good && a->names_from                                         ? 2
           : a->names_from                                                    ? 1
                                                                              : 0;
}

/* Of several, the one that proves most: a domain may sign with its old certificate and its new one,
 * or with one that only some can verify beside one that all can. */
static bool authority_choose(const struct judging *g, const struct sg_smime_layer *layer,
                             struct authority *best_r, struct sg_error *err)
{
    size_t judged = 0;
    *best_r = (struct authority){0};
    for (size_t i = 0; i < layer->signer_count && judged < MAX_AUTHORITIES; i++) {
        const struct sg_smime_signer_info *signer = &layer->signers[i];
        struct authority a;
        if (!signer->certificate || !sg_cert_is_domain_authority(signer->certificate))
            continue;
        if (!sg_budget_left(&g->m->budget)) {
            g->j->facts.unsupported = true;
            sg_trace_add(&g->m->trace, "signature", "REQ-18", "detail", "more work than we do",
                         NULL);
            break;
        }
        if (!authority_judge(g, layer, signer, &a, err))
            return false;
        if (judged++ == 0 || rank(&a) > rank(best_r))
            *best_r = a;
    }
    return true;
}

static bool signed_layer_facts(const struct judging *g, const struct sg_smime_layer *layer,
                               struct sg_error *err)
{
    struct sg_inbound_facts *facts = &g->j->facts;
    struct authority a = {0};
    /* Of several within each other the outer one is the word of the message. */
    if (!facts->domain_signed && !authority_choose(g, layer, &a, err))
        return false;
    if (!a.signer) {
        if (!layer->stripped)
            sg_trace_add(&g->m->trace, "signature", "REQ-12", "result", result_name(layer->result),
                         "detail",
                         sg_arena_printf(g->m->arena, "not a domain's signature: left on; %s",
                                         layer->detail),
                         NULL);
        return true;
    }
    g->j->signer = a.signer->certificate;
    g->j->signature = a.signer;
    g->j->signer_came_with = layer->certificates;
    facts->domain_signed = true;
    facts->signature_good = a.good;
    facts->unsupported |= a.signer->result == SG_SMIME_UNSUPPORTED;
    facts->signer_is_domain = true;
    facts->signer_names_from = a.names_from;
    facts->signer = sg_policy_certificate_of(a.certificate.status);
    return true;
}

/* Envelopes ------------------------------------------------------------------------------------ */

/*
 * A signature outside of an envelope covers a ciphertext, which anybody may have made: of what was
 * in it nobody is shown to be the author. Inner layers are judged for themselves.
 */
static void outer_signature_forget(const struct judging *g)
{
    struct sg_inbound_facts *facts = &g->j->facts;
    g->j->signer = NULL;
    g->j->signature = NULL;
    if (facts->domain_signed)
        sg_trace_add(&g->m->trace, "signature", "REQ-22", "result", "ok", "detail",
                     "outside of the envelope: says nothing of what is inside", NULL);
    facts->domain_signed = facts->signature_good = false;
    facts->signer_is_domain = facts->signer_names_from = false;
    facts->signer = SG_POLICY_CERT_NONE;
}

/* REQ-86, 174: what was on its way when a certificate of ours was revoked or expired is opened, and
 * said to be. That ours is weak is for who sealed to it to mind (REQ-24). */
static bool own_facts(const struct judging *g, const struct sg_smime_layer *layer,
                      struct sg_error *err)
{
    struct sg_message *m = g->m;
    struct sg_inbound_facts *facts = &g->j->facts;
    const struct sg_keyring_item *item = &g->keyring->items[layer->own_key];
    struct sg_cert_facts cert = {.status = SG_CERT_REVOKED, .detail = "revoked here", .serial = ""};
    struct sg_cert_question question = {.certificate = item->certificate,
                                        .untrusted = item->chain,
                                        .use = SG_CERT_ENCRYPT_WEAK,
                                        .domain = g->keyring->domain,
                                        .ours = g->keyring->domain_id,
                                        .now = m->now};
    if (!item->revoked && !sg_cert_check(m->gw->certs, m->arena, &question, &cert, err))
        return false;
    facts->own = sg_policy_certificate_of(cert.status);
    if (facts->own != SG_POLICY_CERT_VALID || cert.bypassed)
        sg_trace_add(&m->trace, "own-certificate", "REQ-86", "status",
                     sg_policy_certificate_name(facts->own), "detail", cert.detail, "serial",
                     cert.serial, "key", item->key.id, NULL);
    return true;
}

static bool enveloped_layer_facts(const struct judging *g, const struct sg_smime_layer *layer,
                                  struct sg_error *err)
{
    struct sg_inbound_facts *facts = &g->j->facts;
    facts->encrypted = true;
    facts->for_us |= layer->for_us;
    if (layer->for_us && layer->result == SG_SMIME_OK) {
        outer_signature_forget(g);
        if (!own_facts(g, layer, err))
            return false;
        /* Integrity is the innermost envelope's: an AEAD, or a good signature inside of it
         * (ARCHITECTURE). What is around it covers a ciphertext, which anybody may have. */
        facts->integrity = layer->authenticated;
        facts->opened = true;
    }
    sg_trace_add(&g->m->trace, "envelope", "REQ-87", "result", result_name(layer->result), "cipher",
                 layer->cipher, "transport", layer->transport, "detail", layer->detail, NULL);
    return true;
}

/* All layers ----------------------------------------------------------------------------------- */

/*
 * Inside what a domain has signed anything may stand that is somebody's own (REQ-12, 88): it goes
 * on as it is, and whether we could have made anything of it says nothing of the message. Not so
 * what is for us, or what nobody has looked at.
 */
static bool is_left_alone(const struct sg_inbound_facts *facts, const struct sg_smime_layer *layer)
{
    return facts->domain_signed && facts->signature_good && layer->result != SG_SMIME_OK &&
           !layer->for_us && !layer->beyond;
}

/* Its header can be read in several ways, or says where what the content names is to be had from
 * (RFC 2557): that is a choice of whoever put it there, and with it what is asked for there. */
static bool is_doubtful(const struct judging *g)
{
    const struct sg_header_block *headers = &g->j->opened.headers;
    return sg_smime_is_ambiguous(g->m->arena, headers) ||
           sg_header_count(headers, "Content-Location") || sg_header_count(headers, "Content-Base");
}

/*
 * Whether a good signature vouches for all of what is delivered: one that was taken off for the
 * content alone, and that is what goes on. Beside one that was left on other octets go along: it
 * does while these are nothing to any reader.
 */
static bool covers_all(const struct judging *g, const struct sg_smime_layer *layer)
{
    bool doubtful = is_doubtful(g);
    if (layer->stripped || (layer->alone && !doubtful))
        return true;
    sg_trace_add(&g->m->trace, "signature", "REQ-87", "detail",
                 doubtful ? "good, but its header can be read in several ways: it vouches for "
                            "nothing"
                          : "good, but there is more than it covers: it vouches for nothing",
                 NULL);
    return false;
}

static bool one_layer_facts(const struct judging *g, const struct sg_smime_layer *layer,
                            struct sg_error *err)
{
    struct sg_inbound_facts *facts = &g->j->facts;
    if (is_left_alone(facts, layer)) {
        sg_trace_add(
            &g->m->trace, "left-alone", "REQ-12", "result", result_name(layer->result), "detail",
            sg_arena_printf(g->m->arena, "inside what the domain has signed: %s", layer->detail),
            NULL);
        return true;
    }
    facts->unsupported |= layer->result == SG_SMIME_UNSUPPORTED;
    facts->malformed |=
        layer->result == SG_SMIME_MALFORMED || layer->result == SG_SMIME_UNDECRYPTABLE;
    if (layer->kind == SG_SMIME_ENVELOPED)
        return enveloped_layer_facts(g, layer, err);
    if (layer->kind == SG_SMIME_SIGNED) {
        if (facts->opened && !facts->integrity && layer->result == SG_SMIME_OK)
            facts->integrity = covers_all(g, layer);
        return signed_layer_facts(g, layer, err);
    }
    sg_trace_add(&g->m->trace, "object", "REQ-18", "result", result_name(layer->result), "detail",
                 layer->detail, NULL);
    return true;
}

bool sg_layers_facts(struct sg_message *m, const struct sg_keyring *keyring,
                     const struct sg_origin *origin, struct sg_inbound_judgement *j,
                     struct sg_error *err)
{
    const struct judging g = {m, keyring, origin, j};
    for (size_t i = 0; i < j->opened.layer_count; i++)
        if (!one_layer_facts(&g, &j->opened.layers[i], err))
            return false;
    return true;
}
