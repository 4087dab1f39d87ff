#include "hsm/keystore_internal.h"

#include "common/secret.h"
#include "common/wait.h"
#include "hsm/ec.h"
#include "hsm/metrics.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leaves the cache: the session object goes too. context is the session of whoever caused it. */
static void unwrapped_drop(void *context, CK_OBJECT_HANDLE handle)
{
    const struct sg_session *s = context;
    if (!s)
        return;
    CK_SESSION_HANDLE keeper = sg_session_keeper_begin(s);
    s->p11->C_DestroyObject(keeper, handle);
    sg_session_keeper_end(s);
}

struct sg_keystore *sg_keystore_new(const struct sg_keystore_options *options)
{
    struct sg_keystore *store = calloc(1, sizeof *store);
    if (!store)
        abort();
    store->keyring = sg_keyring_new(options->kek_label);
    store->wrapped = sg_cache_new(options->wrapped_cache, unwrapped_drop);
    store->token = sg_cache_new(options->token_cache, NULL);
    store->verified = sg_verified_new();
    store->wait_ms = options->wait_ms;
    pthread_mutex_init(&store->lock, NULL);
    sg_cond_init(&store->made);
    return store;
}

void sg_keystore_free(struct sg_keystore **store_p)
{
    struct sg_keystore *store = *store_p;
    if (!store)
        return;
    pthread_cond_destroy(&store->made);
    pthread_mutex_destroy(&store->lock);
    sg_verified_free(&store->verified);
    sg_cache_free(&store->token);
    sg_cache_free(&store->wrapped);
    sg_keyring_free(&store->keyring);
    free(store);
    *store_p = NULL;
}

void sg_keystore_renew(struct sg_keystore *store)
{
    sg_keyring_renew(store->keyring);
}

CK_RV sg_keystore_check(struct sg_keystore *store, const struct sg_session *s, struct sg_error *err)
{
    struct sg_kek kek;
    CK_RV rv = sg_session_check(s);
    return rv == CKR_OK ? sg_keyring_get(store->keyring, s, 0, &kek, err) : rv;
}

void sg_key_id_bytes(struct sg_bytes id, uint8_t out[SG_ID_RANDOM])
{
    char prefix[4] = {(char)id.data[0], (char)id.data[1], (char)id.data[2], 0};
    if (!sg_id_decode(id, prefix, out))
        abort(); /* the protocol validates ids */
}

static bool *making(struct sg_keystore *store, const struct sg_hsm_request *key)
{
    uint8_t id[SG_ID_RANDOM];
    sg_key_id_bytes(key->id, id);
    return &store->making[id[0] % SG_STRIPES];
}

bool sg_key_making_begin(struct sg_keystore *store, const struct sg_hsm_request *key,
                         sg_deadline deadline)
{
    bool *taken = making(store, key);
    pthread_mutex_lock(&store->lock);
    while (*taken && sg_cond_wait(&store->made, &store->lock, deadline))
        ;
    bool ok = !*taken;
    *taken = true;
    pthread_mutex_unlock(&store->lock);
    return ok;
}

void sg_key_making_end(struct sg_keystore *store, const struct sg_hsm_request *key)
{
    pthread_mutex_lock(&store->lock);
    *making(store, key) = false;
    pthread_cond_broadcast(&store->made);
    pthread_mutex_unlock(&store->lock);
}

size_t sg_key_label(const struct sg_hsm_request *key, char out[SG_LABEL_MAX])
{
    return (size_t)snprintf(out, SG_LABEL_MAX, "%s/%.*s/%.*s", sg_hsm_class_name(key->class),
                            (int)key->tenant.len, (const char *)key->tenant.data,
                            (int)key->domain.len, (const char *)key->domain.data);
}

/* Everything that says which key it is, the blob included: a hit has been verified for all of it.
 */
static void cache_name(const struct sg_hsm_request *key, uint8_t name[SG_CACHE_NAME])
{
    char head[SG_LABEL_MAX + SG_HSM_TEXT_MAX + 8];
    int n = snprintf(head, sizeof head, "%d/%d/%.*s/%.*s/%.*s/", (int)key->kind, (int)key->class,
                     (int)key->id.len, (const char *)key->id.data, (int)key->tenant.len,
                     (const char *)key->tenant.data, (int)key->domain.len,
                     (const char *)key->domain.data);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, head, (size_t)n) != 1 ||
        EVP_DigestUpdate(ctx, key->blob.data, key->blob.len) != 1 ||
        EVP_DigestFinal_ex(ctx, name, NULL) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
}

static struct sg_cache *cache_of(struct sg_keystore *store, const struct sg_hsm_request *key)
{
    return key->kind == SG_HSM_WRAPPED ? store->wrapped : store->token;
}

static CK_RV rsa_public(const struct sg_session *s, CK_OBJECT_HANDLE object,
                        struct sg_rsa_public *public, struct sg_error *err)
{
    uint8_t n[SG_RSA_BYTES_MAX + 1], e[16];
    size_t n_len, e_len = 0;
    CK_RV rv = sg_p11_get(s->p11, s->handle, object, CKA_MODULUS, n, sizeof n, &n_len);
    if (rv == CKR_OK)
        rv = sg_p11_get(s->p11, s->handle, object, CKA_PUBLIC_EXPONENT, e, sizeof e, &e_len);
    if (rv != CKR_OK)
        return rv;
    return sg_rsa_public_set(public, sg_bytes_of(n, n_len), sg_bytes_of(e, e_len), err)
               ? CKR_OK
               : SG_RV_REFUSED;
}

/* CKA_EC_POINT is an OCTET STRING in DER; some modules leave its head away. */
static struct sg_bytes point_of(struct sg_bytes attribute)
{
    bool wrapped =
        attribute.len > 2 && attribute.data[0] == 0x04 && attribute.data[1] == attribute.len - 2;
    return wrapped ? sg_bytes_slice(attribute, 2, attribute.len) : attribute;
}

static CK_RV ec_public(const struct sg_session *s, CK_OBJECT_HANDLE object,
                       struct sg_public_key *public, struct sg_error *err)
{
    uint8_t params[64], point[SG_POINT_MAX + 2];
    size_t params_len, point_len = 0;
    CK_RV rv =
        sg_p11_get(s->p11, s->handle, object, CKA_EC_PARAMS, params, sizeof params, &params_len);
    if (rv == CKR_OK)
        rv = sg_p11_get(s->p11, s->handle, object, CKA_EC_POINT, point, sizeof point, &point_len);
    if (rv == CKR_BUFFER_TOO_SMALL ||
        (rv == CKR_OK &&
         (!sg_ec_type(sg_bytes_of(params, params_len), &public->type) ||
          !sg_ec_point_read(public->type, point_of(sg_bytes_of(point, point_len)), &public->ec)))) {
        sg_fail(err, SG_E_HSM_KEY, "no key on P-256 or P-384");
        rv = SG_RV_REFUSED;
    }
    return rv;
}

static CK_RV is_rsa(const struct sg_session *s, CK_OBJECT_HANDLE object, bool *rsa_r)
{
    CK_KEY_TYPE type = CKK_RSA;
    size_t len;
    CK_RV rv = sg_p11_get(s->p11, s->handle, object, CKA_KEY_TYPE, &type, sizeof type, &len);
    *rsa_r = type == CKK_RSA;
    return rv;
}

CK_RV sg_object_public(const struct sg_session *s, CK_OBJECT_HANDLE object,
                       struct sg_public_key *public, struct sg_error *err)
{
    bool rsa;
    memset(public, 0, sizeof *public);
    CK_RV rv = is_rsa(s, object, &rsa);
    if (rv != CKR_OK)
        return rv;
    return rsa ? rsa_public(s, object, &public->rsa, err) : ec_public(s, object, public, err);
}

CK_RV sg_ec_prove(const struct sg_session *s, CK_OBJECT_HANDLE object,
                  const struct sg_public_key *public, struct sg_error *err)
{
    static const uint8_t hash[32] = "is this private key the one of..";
    uint8_t rs[2 * SG_POINT_MAX], signature[SG_ECDSA_MAX];
    size_t len = sizeof rs;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_RV rv = sg_p11_sign(s->p11, s->handle, object, &mechanism, sg_bytes_of(hash, sizeof hash),
                           rs, &len);
    if (rv != CKR_OK)
        return rv;
    len = sg_ecdsa_encode(sg_bytes_of(rs, len), signature);
    if (len && sg_ecdsa_verify(public, sg_bytes_of(hash, sizeof hash), sg_bytes_of(signature, len)))
        return CKR_OK;
    sg_fail(err, SG_E_HSM_KEY, "the private key is not the one of its public key");
    return SG_RV_REFUSED;
}

/* Token keys ----------------------------------------------------------------------------------- */

CK_RV sg_token_key_find(const struct sg_session *s, const struct sg_hsm_request *key,
                        CK_OBJECT_HANDLE found[2], CK_ULONG *count_r)
{
    uint8_t id[SG_ID_RANDOM];
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE attrs[] = {
        SG_P11_VALUE(CKA_CLASS, class), SG_P11_BOOL(CKA_TOKEN, true), {CKA_ID, id, sizeof id}};
    sg_key_id_bytes(key->id, id);
    CK_RV rv = sg_p11_find(s->p11, s->handle, attrs, 3, found, 2, count_r);
    if (rv == CKR_OK && *count_r == 0)
        rv = sg_session_check(s); /* without a login private keys cannot be seen */
    if (rv == CKR_OK && *count_r == 0)
        rv = sg_session_sees(s);
    return rv;
}

CK_RV sg_token_public_find(const struct sg_session *s, const struct sg_hsm_request *key,
                           CK_OBJECT_HANDLE found[2], CK_ULONG *count_r)
{
    uint8_t id[SG_ID_RANDOM];
    char label[SG_LABEL_MAX];
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_ATTRIBUTE attrs[] = {SG_P11_VALUE(CKA_CLASS, class),
                            SG_P11_BOOL(CKA_TOKEN, true),
                            {CKA_ID, id, sizeof id},
                            {CKA_LABEL, label, sg_key_label(key, label)}};
    sg_key_id_bytes(key->id, id);
    CK_RV rv = sg_p11_find(s->p11, s->handle, attrs, 4, found, 2, count_r);
    return rv == CKR_OK && *count_r == 0 ? sg_session_sees(s) : rv;
}

static CK_RV label_check(const struct sg_session *s, const struct sg_hsm_request *key,
                         CK_OBJECT_HANDLE object, struct sg_error *err)
{
    char wanted[SG_LABEL_MAX];
    uint8_t label[SG_LABEL_MAX];
    size_t wanted_len = sg_key_label(key, wanted), len;
    CK_RV rv = sg_p11_get(s->p11, s->handle, object, CKA_LABEL, label, sizeof label, &len);
    if (rv == CKR_BUFFER_TOO_SMALL ||
        (rv == CKR_OK &&
         !sg_bytes_equal(sg_bytes_of(label, len), sg_bytes_of(wanted, wanted_len)))) {
        sg_fail(err, SG_E_HSM_KEY, "the token key is for another purpose or another domain");
        return SG_RV_REFUSED;
    }
    return rv;
}

static CK_RV token_ec_public(const struct sg_session *s, const struct sg_hsm_request *key,
                             CK_OBJECT_HANDLE object, struct sg_public_key *public,
                             struct sg_error *err)
{
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count;
    CK_RV rv = sg_token_public_find(s, key, found, &count);
    if (rv == CKR_OK && count != 1) {
        sg_fail(err, SG_E_HSM_KEY, "the token key has %s public half",
                count ? "more than one" : "no");
        rv = SG_RV_REFUSED;
    }
    if (rv == CKR_OK)
        rv = sg_object_public(s, found[0], public, err);
    return rv == CKR_OK ? sg_ec_prove(s, object, public, err) : rv;
}

CK_RV sg_token_key_check(const struct sg_session *s, const struct sg_hsm_request *key,
                         CK_OBJECT_HANDLE object, struct sg_public_key *public,
                         struct sg_error *err)
{
    bool rsa;
    CK_RV rv = label_check(s, key, object, err);
    if (rv == CKR_OK)
        rv = is_rsa(s, object, &rsa);
    if (rv != CKR_OK)
        return rv;
    return rsa ? sg_object_public(s, object, public, err)
               : token_ec_public(s, key, object, public, err);
}

static CK_RV token_load(const struct sg_session *s, const struct sg_hsm_request *key,
                        CK_OBJECT_HANDLE *object_r, struct sg_public_key *public,
                        struct sg_error *err)
{
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count;
    CK_RV rv = sg_token_key_find(s, key, found, &count);
    if (rv != CKR_OK)
        return rv;
    if (count != 1) {
        sg_fail(err, SG_E_HSM_KEY, count ? "several token keys of one id" : "no such token key");
        return SG_RV_REFUSED;
    }
    *object_r = found[0];
    return sg_token_key_check(s, key, found[0], public, err);
}

/* Wrapped keys --------------------------------------------------------------------------------- */

CK_RV sg_blob_seal(const struct sg_session *s, const struct sg_kek *kek, struct sg_blob *blob,
                   const struct sg_hsm_request *names, struct sg_result *result,
                   struct sg_error *err)
{
    uint8_t bound[SG_BLOB_BOUND_MAX], mac[SG_MAC_SIZE];
    size_t len = sg_blob_bound(blob, names, bound);
    CK_RV rv = len ? sg_kek_mac(s, kek, sg_bytes_of(bound, len), mac) : SG_RV_REFUSED;
    if (rv == CKR_OK) {
        blob->mac = sg_bytes_of(mac, sizeof mac);
        result->second_len = sg_blob_encode(blob, result->second, sizeof result->second);
        blob->mac = sg_bytes_of(NULL, 0);
        rv = result->second_len ? CKR_OK : SG_RV_REFUSED;
    }
    if (rv == SG_RV_REFUSED)
        sg_fail(err, SG_E_HSM_OPERATION, "the wrapped key is too long");
    return rv;
}

/* Decodes, and finds the KEK. */
static CK_RV blob_open(struct sg_keystore *store, const struct sg_session *s, struct sg_bytes data,
                       enum sg_blob_type type, struct sg_blob *blob, struct sg_kek *kek,
                       struct sg_error *err)
{
    if (!sg_blob_decode(data, type, blob, err))
        return SG_RV_REFUSED;
    return sg_keyring_get(store->keyring, s, blob->generation, kek, err);
}

static CK_RV blob_verify(const struct sg_session *s, const struct sg_kek *kek,
                         const struct sg_blob *blob, const struct sg_hsm_request *names,
                         struct sg_error *err)
{
    uint8_t bound[SG_BLOB_BOUND_MAX], mac[SG_MAC_SIZE];
    size_t len = sg_blob_bound(blob, names, bound);
    CK_RV rv = sg_kek_mac(s, kek, sg_bytes_of(bound, len), mac);
    if (rv == CKR_OK && (len == 0 || !sg_secret_equal(blob->mac, sg_bytes_of(mac, sizeof mac)))) {
        sg_fail(err, SG_E_HSM_KEY, "the wrapped key is damaged or was made for something else");
        rv = SG_RV_REFUSED;
    }
    return rv;
}

CK_RV sg_blob_unseal(struct sg_keystore *store, const struct sg_session *s, struct sg_bytes data,
                     enum sg_blob_type type, const struct sg_hsm_request *names,
                     struct sg_blob *blob, struct sg_kek *kek, struct sg_error *err)
{
    CK_RV rv = blob_open(store, s, data, type, blob, kek, err);
    return rv == CKR_OK ? blob_verify(s, kek, blob, names, err) : rv;
}

static CK_RV unwrap(const struct sg_session *s, const struct sg_kek *kek,
                    const struct sg_blob *blob, enum sg_hsm_class key_class,
                    enum sg_key_type key_type, CK_OBJECT_HANDLE *object_r)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = key_type == SG_KEY_RSA ? CKK_RSA : CKK_EC;
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_ATTRIBUTE attrs[] = {
        SG_P11_VALUE(CKA_CLASS, class),   SG_P11_VALUE(CKA_KEY_TYPE, type),
        SG_P11_BOOL(CKA_TOKEN, false),    SG_P11_BOOL(CKA_PRIVATE, true),
        SG_P11_BOOL(CKA_SENSITIVE, true), SG_P11_BOOL(CKA_EXTRACTABLE, false),
        SG_P11_USES(key_type, key_class),
    };
    CK_SESSION_HANDLE keeper = sg_session_keeper_begin(s);
    CK_RV rv =
        s->p11->C_UnwrapKey(keeper, &mechanism, kek->kek, (CK_BYTE *)blob->wrapped.data,
                            blob->wrapped.len, attrs, sizeof attrs / sizeof attrs[0], object_r);
    sg_session_keeper_end(s);
    return rv;
}

/*
 * That what was unwrapped is the key that the blob names. Of a curve that was proved before it was
 * wrapped: the MAC, which was verified, holds that wrapped key and that public half together, and
 * what the wrapping's own check of integrity lets out is the key that went in.
 */
static CK_RV unwrapped_check(const struct sg_session *s, CK_OBJECT_HANDLE object,
                             struct sg_bytes spki, const struct sg_public_key *named,
                             struct sg_error *err)
{
    struct sg_public_key public;
    uint8_t encoded[SG_SPKI_MAX];
    size_t len;
    if (named->type != SG_KEY_RSA)
        return CKR_OK;
    CK_RV rv = sg_object_public(s, object, &public, err);
    if (rv == CKR_OK && (!sg_spki_encode(&public, encoded, &len, err) ||
                         !sg_bytes_equal(spki, sg_bytes_of(encoded, len)))) {
        sg_fail(err, SG_E_HSM_KEY, "the wrapped key is not the one of its public key");
        rv = SG_RV_REFUSED;
    }
    return rv;
}

static CK_RV wrapped_load(struct sg_keystore *store, const struct sg_session *s,
                          const struct sg_hsm_request *key, const uint8_t name[SG_CACHE_NAME],
                          CK_OBJECT_HANDLE *object_r, struct sg_public_key *public,
                          struct sg_error *err)
{
    struct sg_blob blob;
    struct sg_kek kek;
    CK_RV rv = blob_open(store, s, key->blob, SG_BLOB_PRIVATE, &blob, &kek, err);
    if (rv == CKR_OK && !sg_verified_has(store->verified, name)) {
        rv = blob_verify(s, &kek, &blob, key, err);
        if (rv == CKR_OK)
            sg_verified_add(store->verified, name);
    }
    if (rv == CKR_OK && !sg_spki_decode(blob.spki, public, err))
        rv = SG_RV_REFUSED;
    if (rv == CKR_OK)
        rv = unwrap(s, &kek, &blob, key->class, public->type, object_r);
    if (rv != CKR_OK)
        return rv;
    rv = unwrapped_check(s, *object_r, blob.spki, public, err);
    if (rv != CKR_OK)
        unwrapped_drop((void *)s, *object_r);
    return rv;
}

/* ---------------------------------------------------------------------------------------------- */

CK_RV sg_keystore_acquire(struct sg_keystore *store, const struct sg_session *s,
                          const struct sg_hsm_request *key, struct sg_entry **entry_r,
                          struct sg_error *err)
{
    struct sg_cache *cache = cache_of(store, key);
    uint8_t name[SG_CACHE_NAME];
    cache_name(key, name);
    enum sg_cache_found found = sg_cache_get(cache, name, s->generation,
                                             sg_deadline_in(store->wait_ms), (void *)s, entry_r);
    sg_hsm_count_cache(key->kind == SG_HSM_WRAPPED ? SG_CACHE_WRAPPED : SG_CACHE_TOKEN, found);
    switch (found) {
    case SG_CACHE_HIT:
        return CKR_OK;
    case SG_CACHE_TIMEOUT:
        sg_fail(err, SG_E_BUSY, "the key is being loaded");
        return SG_RV_REFUSED;
    case SG_CACHE_LOAD:
        break;
    }
    CK_OBJECT_HANDLE object;
    struct sg_public_key public;
    CK_RV rv = key->kind == SG_HSM_WRAPPED
                   ? wrapped_load(store, s, key, name, &object, &public, err)
                   : token_load(s, key, &object, &public, err);
    if (rv == CKR_OK) {
        sg_cache_loaded(cache, *entry_r, object, &public);
    } else {
        sg_cache_failed(cache, *entry_r);
        *entry_r = NULL;
    }
    return rv;
}

void sg_keystore_release(struct sg_keystore *store, const struct sg_session *s,
                         const struct sg_hsm_request *key, struct sg_entry *entry, CK_RV result)
{
    enum sg_rv_kind kind = sg_rv_kind(result);
    sg_cache_put(cache_of(store, key), entry, kind == SG_RV_STALE || kind == SG_RV_LOST, (void *)s);
}

CK_RV sg_token_objects_destroy(const struct sg_session *s, const CK_OBJECT_HANDLE *found,
                               CK_ULONG count)
{
    CK_SESSION_HANDLE writable;
    CK_RV rv = count ? sg_session_writable(s, &writable) : CKR_OK;
    if (rv != CKR_OK || count == 0)
        return rv;
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        rv = s->p11->C_DestroyObject(writable, found[i]);
    s->p11->C_CloseSession(writable);
    return rv;
}

/* Its public half last: what is without it is found and destroyed all the same. */
static CK_RV token_destroy(const struct sg_session *s, const struct sg_hsm_request *key,
                           struct sg_error *err)
{
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 0;
    CK_RV rv = sg_token_key_find(s, key, found, &count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        rv = label_check(s, key, found[i], err);
    if (rv == CKR_OK)
        rv = sg_token_objects_destroy(s, found, count);
    if (rv == CKR_OK)
        rv = sg_token_public_find(s, key, found, &count);
    return rv == CKR_OK ? sg_token_objects_destroy(s, found, count) : rv;
}

/*
 * What is being made cannot be found yet, and would be there afterwards. Waited for no longer than
 * a destruction may take: making a key pair may take as long as no other operation does.
 */
static CK_RV token_destroy_made(struct sg_keystore *store, const struct sg_session *s,
                                const struct sg_hsm_request *key, struct sg_error *err)
{
    if (!sg_key_making_begin(store, key, sg_deadline_in(store->wait_ms))) {
        sg_fail(err, SG_E_BUSY, "a key is being made");
        return SG_RV_REFUSED;
    }
    CK_RV rv = token_destroy(s, key, err);
    sg_key_making_end(store, key);
    return rv;
}

CK_RV sg_keystore_destroy(struct sg_keystore *store, const struct sg_session *s,
                          const struct sg_hsm_request *key, struct sg_error *err)
{
    uint8_t name[SG_CACHE_NAME];
    CK_RV rv = CKR_OK;
    cache_name(key, name);
    if (key->kind == SG_HSM_TOKEN)
        rv = token_destroy_made(store, s, key, err);
    /* Of a wrapped key nothing but this is here: the caller destroys the blob. */
    sg_cache_remove(cache_of(store, key), name, s->generation, (void *)s);
    return rv;
}

bool sg_keystore_evict(struct sg_keystore *store, const struct sg_session *s)
{
    return sg_cache_evict(store->wrapped, s->generation, (void *)s);
}
