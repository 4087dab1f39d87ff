#include "pipeline/keyring.h"

#include "schema/certificate.h"
#include "x509/x509.h"

static bool item_load(struct sg_gateway *gw, const struct sg_certificate_row *row,
                      struct sg_keyring_item *item, struct sg_error *err)
{
    item->gw = gw;
    item->key = (struct sg_hsm_key){
        .id = row->key_id,
        .tenant = row->tenant_id,
        .domain = row->domain_id,
        .class = SG_HSM_DCA,
        .kind = strcmp(row->key_kind, "token") == 0 ? SG_HSM_TOKEN : SG_HSM_WRAPPED,
        .blob = row->key_blob,
    };
    item->revoked = strcmp(row->state, "revoked") == 0;
    item->waiting = strcmp(row->state, "installed") == 0;
    item->certificate = sg_x509_decode(row->der);
    item->chain = sk_X509_new_null();
    if (!item->certificate || !item->chain)
        return sg_fail_openssl(err, SG_E_INTERNAL, "certificate %s does not parse", row->id);
    sg_x509_remember(item->certificate);
    for (size_t i = 0; i < row->chain_count; i++) {
        X509 *x = sg_x509_decode(row->chain[i]);
        if (!x || !sk_X509_push(item->chain, x)) {
            X509_free(x);
            return sg_fail_openssl(err, SG_E_INTERNAL, "chain of %s does not parse", row->id);
        }
        sg_x509_remember(x);
    }
    return true;
}

bool sg_keyring_load(struct sg_gateway *gw, struct sg_arena *arena, const char *domain_id,
                     const char *domain, struct sg_keyring *keyring_r, struct sg_error *err)
{
    struct sg_certificate_row *rows;
    size_t count;
    *keyring_r = (struct sg_keyring){.domain_id = domain_id, .domain = domain};
    if (!sg_certificate_list(gw->db, arena, domain_id, &rows, &count, err))
        return false;
    keyring_r->items = SG_ARENA_ARRAY(arena, struct sg_keyring_item, count + 1);
    for (size_t i = 0; i < count; i++) {
        keyring_r->count = i + 1;
        if (!item_load(gw, &rows[i], &keyring_r->items[i], err)) {
            sg_keyring_free(keyring_r);
            return false;
        }
    }
    return true;
}

void sg_keyring_free(struct sg_keyring *keyring)
{
    for (size_t i = 0; i < keyring->count; i++) {
        X509_free(keyring->items[i].certificate);
        sk_X509_pop_free(keyring->items[i].chain, X509_free);
    }
    keyring->count = 0;
}

/* Among those that wait, or those that do not. first: nothing is known of any yet. REQ-178: what is
 * ours must be good for everybody, so that the domain's further roots do not count. */
static bool signer_among(struct sg_keyring *keyring, bool waiting, struct sg_arena *arena,
                         sg_time now, bool *first, struct sg_keyring_item **item_r,
                         struct sg_cert_facts *facts_r, struct sg_error *err)
{
    struct sg_cert_facts facts;
    for (size_t i = 0; i < keyring->count; i++) {
        struct sg_keyring_item *item = &keyring->items[i];
        if (item->revoked || item->waiting != waiting)
            continue;
        struct sg_cert_question question = {.certificate = item->certificate,
                                            .untrusted = item->chain,
                                            .use = SG_CERT_SIGN,
                                            .domain = keyring->domain,
                                            .ours = keyring->domain_id,
                                            .now = now};
        if (!sg_cert_check(item->gw->certs, arena, &question, &facts, err))
            return false;
        if (*first || facts.status == SG_CERT_VALID)
            *facts_r = facts;
        *first = false;
        if (facts.status == SG_CERT_VALID) {
            *item_r = item;
            return true;
        }
    }
    return true;
}

bool sg_keyring_signer(struct sg_keyring *keyring, struct sg_arena *arena, sg_time now,
                       struct sg_keyring_item **item_r, struct sg_cert_facts *facts_r,
                       struct sg_error *err)
{
    bool first = true;
    *item_r = NULL;
    if (!signer_among(keyring, false, arena, now, &first, item_r, facts_r, err) ||
        (!*item_r && !signer_among(keyring, true, arena, now, &first, item_r, facts_r, err)))
        return false;
    if (first) /* there is none but revoked ones */
        facts_r->status = SG_CERT_REVOKED;
    return true;
}

static enum sg_hsm_digest digest_of(const char *name)
{
    static const char *const names[] = {NULL, "sha1", "sha256", "sha384", "sha512"};
    for (int d = SG_HSM_SHA1; name && d <= SG_HSM_SHA512; d++)
        if (strcmp(name, names[d]) == 0)
            return (enum sg_hsm_digest)d;
    return (enum sg_hsm_digest)0; /* none: hsmd refuses where one is needed */
}

static enum sg_hsm_wrap wrap_of(const char *name)
{
    static const char *const names[] = {NULL, "aes-128-wrap", "aes-192-wrap", "aes-256-wrap",
                                        "des-ede3-wrap"};
    for (int w = SG_HSM_AES128_WRAP; name && w <= SG_HSM_3DES_WRAP; w++)
        if (strcmp(name, names[w]) == 0)
            return (enum sg_hsm_wrap)w;
    return (enum sg_hsm_wrap)0;
}

bool sg_keyring_sign(void *ctx, const struct sg_smime_to_sign *what, struct sg_buf *sig_r,
                     struct sg_error *err)
{
    struct sg_keyring_item *item = ctx;
    enum sg_hsm_scheme scheme = strcmp(what->scheme, "ecdsa") == 0 ? SG_HSM_ECDSA : SG_HSM_PKCS1;
    return sg_hsm_sign(item->gw->hsm, &item->key, scheme, digest_of(what->digest), what->hash,
                       sig_r, err);
}

/* What is larger than any point or shared info can be is not for hsmd, whose refusal would be taken
 * for its failure: it cannot have been made for this key. */
static bool is_possible(const struct sg_smime_cek *cek)
{
    return cek->point.len <= SG_HSM_POINT_MAX && cek->info.len <= SG_HSM_INFO_MAX &&
           (cek->transport != SG_SMIME_ECDH || cek->encrypted.len <= SG_HSM_WRAPPED_MAX);
}

bool sg_keyring_decrypt(void *ctx, void *key, const struct sg_smime_cek *cek,
                        struct sg_secret *cek_r, struct sg_error *err)
{
    static const enum sg_hsm_scheme schemes[] = {[SG_SMIME_RSA_PKCS1] = SG_HSM_PKCS1,
                                                 [SG_SMIME_RSA_OAEP] = SG_HSM_OAEP,
                                                 [SG_SMIME_ECDH] = SG_HSM_ECDH};
    (void)ctx;
    struct sg_keyring_item *item = key;
    if (!is_possible(cek))
        return sg_fail(err, SG_E_CMS_DECRYPT, "the message could not be decrypted");
    const struct sg_hsm_cek asked = {.scheme = schemes[cek->transport],
                                     .digest = digest_of(cek->digest),
                                     .mask = digest_of(cek->mask),
                                     .wrap = wrap_of(cek->wrap),
                                     .point = cek->point,
                                     .info = cek->info,
                                     .encrypted = cek->encrypted,
                                     .key_bytes = cek->key_bytes};
    return sg_hsm_decrypt_cek(item->gw->hsm, &item->key, &asked, cek_r, err);
}

enum sg_policy_certificate sg_policy_certificate_of(enum sg_cert_status status)
{
    switch (status) {
    case SG_CERT_VALID:
        return SG_POLICY_CERT_VALID;
    case SG_CERT_REVOKED:
        return SG_POLICY_CERT_REVOKED;
    case SG_CERT_UNTRUSTED:
        return SG_POLICY_CERT_UNTRUSTED;
    case SG_CERT_EXPIRED:
        return SG_POLICY_CERT_EXPIRED;
    case SG_CERT_STATUS_UNKNOWN:
        return SG_POLICY_CERT_UNKNOWN;
    case SG_CERT_NOT_YET_VALID:
        return SG_POLICY_CERT_NOT_YET;
    case SG_CERT_MISMATCH:
    case SG_CERT_UNSUITABLE:
        break;
    }
    return SG_POLICY_CERT_UNFIT;
}
