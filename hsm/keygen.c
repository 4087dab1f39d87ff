/* Making key pairs. */
#include "hsm/ec.h"
#include "hsm/keystore_internal.h"

#include <string.h>

static enum sg_key_type type_of(unsigned bits)
{
    return bits == 256 ? SG_KEY_P256 : bits == 384 ? SG_KEY_P384 : SG_KEY_RSA;
}

static bool is_of(const struct sg_public_key *public, unsigned bits)
{
    return public->type == type_of(bits) &&
           (public->type != SG_KEY_RSA || public->rsa.n_len * 8 == bits);
}

/*
 * The private half on the token, or in the session so that it can be wrapped. The public half goes
 * at once, but for a token key on a curve, whose private half does not carry it.
 */
static CK_RV pair_make(const struct sg_session *s, CK_SESSION_HANDLE session,
                       const struct sg_hsm_request *key, CK_OBJECT_HANDLE *private_r,
                       struct sg_public_key *public_r, struct sg_error *err)
{
    enum sg_key_type type = type_of(key->number);
    bool rsa = type == SG_KEY_RSA, on_token = key->kind == SG_HSM_TOKEN, kept = on_token && !rsa;
    uint8_t id[SG_ID_RANDOM], exponent[] = {1, 0, 1};
    char label[SG_LABEL_MAX];
    CK_ULONG bits = key->number, label_len = sg_key_label(key, label);
    CK_OBJECT_HANDLE public;
    CK_MECHANISM mechanism = {rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE rsa_attrs[] = {
        SG_P11_BOOL(CKA_TOKEN, false),        SG_P11_BOOL(CKA_VERIFY, true),
        SG_P11_VALUE(CKA_MODULUS_BITS, bits), {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent},
        SG_P11_BOOL(CKA_ENCRYPT, true),
    };
    struct sg_bytes params = rsa ? sg_bytes_of(NULL, 0) : sg_ec_params(type);
    CK_ATTRIBUTE ec_attrs[] = {
        SG_P11_BOOL(CKA_TOKEN, kept),    SG_P11_BOOL(CKA_VERIFY, true),
        SG_P11_BOOL(CKA_PRIVATE, false), {CKA_EC_PARAMS, (void *)params.data, params.len},
        {CKA_ID, id, sizeof id},         {CKA_LABEL, label, label_len},
    };
    CK_ATTRIBUTE private_attrs[] = {
        {CKA_ID, id, sizeof id},
        {CKA_LABEL, label, label_len},
        SG_P11_BOOL(CKA_TOKEN, on_token),
        SG_P11_BOOL(CKA_PRIVATE, true),
        SG_P11_BOOL(CKA_SENSITIVE, true),
        SG_P11_BOOL(CKA_EXTRACTABLE, !on_token),
        SG_P11_BOOL(CKA_MODIFIABLE, false),
        SG_P11_USES(type, key->class),
    };
    sg_key_id_bytes(key->id, id);
    CK_RV rv = s->p11->C_GenerateKeyPair(
        session, &mechanism, rsa ? rsa_attrs : ec_attrs,
        rsa ? sizeof rsa_attrs / sizeof rsa_attrs[0] : sizeof ec_attrs / sizeof ec_attrs[0],
        private_attrs, sizeof private_attrs / sizeof private_attrs[0], &public, private_r);
    if (rv != CKR_OK)
        return rv;
    rv = sg_object_public(s, public, public_r, err);
    if (!kept)
        s->p11->C_DestroyObject(session, public);
    if (rv != CKR_OK)
        s->p11->C_DestroyObject(session, *private_r);
    return rv;
}

static CK_RV spki_put(const struct sg_public_key *public, struct sg_result *result,
                      struct sg_error *err)
{
    return sg_spki_encode(public, result->first, &result->first_len, err) ? CKR_OK : SG_RV_REFUSED;
}

static CK_RV token_make(const struct sg_session *s, const struct sg_hsm_request *key,
                        struct sg_public_key *public, struct sg_error *err)
{
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count;
    CK_RV rv = sg_token_key_find(s, key, found, &count);
    if (rv != CKR_OK)
        return rv;
    if (count > 0) {
        rv = sg_token_key_check(s, key, found[0], public, err);
        if (rv == CKR_OK && (count > 1 || !is_of(public, key->number))) {
            sg_fail(err, SG_E_HSM_KEY, "the token has another key of that id");
            rv = SG_RV_REFUSED;
        }
        return rv;
    }
    /* A public half whose private one was never made, or is destroyed. */
    rv = sg_token_public_find(s, key, found, &count);
    if (rv == CKR_OK)
        rv = sg_token_objects_destroy(s, found, count);
    CK_SESSION_HANDLE writable;
    if (rv == CKR_OK)
        rv = sg_session_writable(s, &writable);
    if (rv != CKR_OK)
        return rv;
    rv = pair_make(s, writable, key, &found[0], public, err);
    s->p11->C_CloseSession(writable);
    return rv;
}

static CK_RV token_generate(struct sg_keystore *store, const struct sg_session *s,
                            const struct sg_hsm_request *key, struct sg_result *result,
                            struct sg_error *err)
{
    struct sg_public_key public;
    while (!sg_key_making_begin(store, key, sg_deadline_in(INT32_MAX)))
        ;
    CK_RV rv = token_make(s, key, &public, err);
    sg_key_making_end(store, key);
    return rv == CKR_OK ? spki_put(&public, result, err) : rv;
}

static CK_RV wrapped_generate(struct sg_keystore *store, const struct sg_session *s,
                              const struct sg_hsm_request *key, struct sg_result *result,
                              struct sg_error *err)
{
    struct sg_kek kek;
    struct sg_public_key public;
    CK_OBJECT_HANDLE private_key;
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    uint8_t wrapped[SG_HSM_BLOB_MAX];
    CK_ULONG wrapped_len = sizeof wrapped;
    CK_RV rv = sg_keyring_get(store->keyring, s, 0, &kek, err);
    if (rv == CKR_OK)
        rv = pair_make(s, s->handle, key, &private_key, &public, err);
    if (rv != CKR_OK)
        return rv;
    if (public.type != SG_KEY_RSA)
        rv = sg_ec_prove(s, private_key, &public, err); /* once, for all that will unwrap it */
    if (rv == CKR_OK)
        rv = s->p11->C_WrapKey(s->handle, &mechanism, kek.kek, private_key, wrapped, &wrapped_len);
    CK_RV destroyed = s->p11->C_DestroyObject(s->handle, private_key);
    if (rv == CKR_OK)
        rv = destroyed;
    if (rv == CKR_OK)
        rv = spki_put(&public, result, err);
    if (rv != CKR_OK)
        return rv;
    struct sg_blob blob = {.type = SG_BLOB_PRIVATE,
                           .generation = kek.generation,
                           .spki = sg_bytes_of(result->first, result->first_len),
                           .wrapped = sg_bytes_of(wrapped, wrapped_len)};
    return sg_blob_seal(s, &kek, &blob, key, result, err);
}

CK_RV sg_keystore_generate(struct sg_keystore *store, const struct sg_session *s,
                           const struct sg_hsm_request *key, struct sg_result *result,
                           struct sg_error *err)
{
    result->first_len = result->second_len = 0;
    return key->kind == SG_HSM_TOKEN ? token_generate(store, s, key, result, err)
                                     : wrapped_generate(store, s, key, result, err);
}
