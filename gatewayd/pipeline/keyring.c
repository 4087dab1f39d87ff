#include "pipeline/keyring.h"

#include "schema/certificate.h"

static X509 *certificate_parse(struct sg_bytes der)
{
    const unsigned char *p = der.data;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    if (x && p != der.data + der.len) {
        X509_free(x);
        return NULL;
    }
    return x;
}

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
    item->certificate = certificate_parse(row->der);
    item->chain = sk_X509_new_null();
    if (!item->certificate || !item->chain)
        return sg_fail_openssl(err, SG_E_INTERNAL, "certificate %s does not parse", row->id);
    for (size_t i = 0; i < row->chain_count; i++) {
        X509 *x = certificate_parse(row->chain[i]);
        if (!x || !sk_X509_push(item->chain, x)) {
            X509_free(x);
            return sg_fail_openssl(err, SG_E_INTERNAL, "chain of %s does not parse", row->id);
        }
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

bool sg_keyring_sign(void *ctx, const struct sg_smime_to_sign *what, struct sg_buf *sig_r,
                     struct sg_error *err)
{
    struct sg_keyring_item *item = ctx;
    if (strcmp(what->scheme, "rsa-pkcs1") != 0)
        return sg_fail(err, SG_E_HSM_KEY, "no key of ours signs with %s", what->scheme);
    return sg_hsm_sign(item->gw->hsm, &item->key, SG_HSM_PKCS1, SG_HSM_SHA256, what->hash, sig_r,
                       err);
}

bool sg_keyring_decrypt(void *ctx, void *key, struct sg_bytes encrypted, size_t key_bytes,
                        struct sg_secret *cek_r, struct sg_error *err)
{
    (void)ctx;
    struct sg_keyring_item *item = key;
    const struct sg_hsm_cek cek = {
        .scheme = SG_HSM_PKCS1, .encrypted = encrypted, .key_bytes = key_bytes};
    return sg_hsm_decrypt_cek(item->gw->hsm, &item->key, &cek, cek_r, err);
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
