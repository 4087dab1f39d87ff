#include "hsm/cek.h"

#include "hsm/ec.h"

#include <openssl/crypto.h>
#include <string.h>

/*
 * The HSM does the raw RSA operation and the padding is judged here in constant time: a module's
 * own unpadding answers bad padding with an error and logs it, which can be told from outside; and
 * its error could not be told from a fault of the HSM (RFC 3218, RFC 8017 §7.1.2, §7.2.2).
 */
CK_RV sg_cek_transported(const struct sg_session *s, const struct sg_entry *key,
                         const struct sg_hsm_request *q, const uint8_t *fallback, uint8_t *out,
                         struct sg_error *err)
{
    const struct sg_rsa_public *public = &sg_entry_public(key)->rsa;
    uint8_t em[SG_RSA_BYTES_MAX] = {0}, raw[SG_RSA_BYTES_MAX];
    size_t len = sizeof raw;
    CK_RV rv = CKR_OK;
    if (sg_rsa_in_range(public, q->input)) {
        CK_MECHANISM mechanism = {CKM_RSA_X_509, NULL, 0};
        rv = sg_p11_decrypt(s->p11, s->handle, sg_entry_handle(key), &mechanism, q->input, raw,
                            &len);
        if (rv == CKR_OK && len > public->n_len)
            rv = CKR_FUNCTION_FAILED;
        if (rv == CKR_OK)
            memcpy(em + public->n_len - len, raw, len);
    }
    struct sg_bytes block = sg_bytes_of(em, public->n_len);
    if (rv == CKR_OK && q->scheme == SG_HSM_PKCS1)
        sg_pkcs1_unpad(block, fallback, out, q->number);
    else if (rv == CKR_OK &&
             !sg_oaep_unpad(block, q->digest, q->mask, fallback, out, q->number, err))
        rv = SG_RV_REFUSED;
#ifdef SG_LEAKY_ORACLE /* the mistake that tests/system/test_oracle.py must see */
    if (rv == CKR_OK && memcmp(out, fallback, q->number) == 0)
        rv = CKR_ENCRYPTED_DATA_INVALID;
#endif
    OPENSSL_cleanse(em, sizeof em);
    OPENSSL_cleanse(raw, sizeof raw);
    return rv;
}

/* The agreed secret, as long as a coordinate, by way of an object of the session. */
static CK_RV derive(const struct sg_session *s, const struct sg_entry *key,
                    const struct sg_ec_public *peer, uint8_t *secret, size_t size)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ULONG value_len = size;
    CK_OBJECT_HANDLE object;
    uint8_t value[SG_POINT_MAX];
    size_t len = 0;
    CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, peer->len, (CK_BYTE *)peer->point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof params};
    CK_ATTRIBUTE attrs[] = {
        SG_P11_VALUE(CKA_CLASS, class),     SG_P11_VALUE(CKA_KEY_TYPE, type),
        SG_P11_BOOL(CKA_TOKEN, false),      SG_P11_BOOL(CKA_SENSITIVE, false),
        SG_P11_BOOL(CKA_EXTRACTABLE, true), SG_P11_VALUE(CKA_VALUE_LEN, value_len),
    };
    CK_RV rv = s->p11->C_DeriveKey(s->handle, &mechanism, sg_entry_handle(key), attrs,
                                   sizeof attrs / sizeof attrs[0], &object);
    if (rv != CKR_OK)
        return rv;
    rv = sg_p11_get(s->p11, s->handle, object, CKA_VALUE, value, sizeof value, &len);
    CK_RV destroyed = s->p11->C_DestroyObject(s->handle, object);
    if (rv == CKR_OK)
        rv = len == size ? destroyed : CKR_FUNCTION_FAILED;
    if (rv == CKR_OK)
        memcpy(secret, value, size);
    OPENSSL_cleanse(value, sizeof value);
    return rv;
}

/* Anybody can make a message of which any step here fails: each gives the fallback, and the caller
 * learns no more than of a content that does not decrypt. */
CK_RV sg_cek_agreed(const struct sg_session *s, const struct sg_entry *key,
                    const struct sg_hsm_request *q, const uint8_t *fallback, uint8_t *out)
{
    enum sg_key_type type = sg_entry_public(key)->type;
    struct sg_hsm_agreement agreement;
    struct sg_ec_public peer;
    uint8_t secret[SG_POINT_MAX];
    size_t size = sg_ec_field_size(type);
    memcpy(out, fallback, q->number);
    if (!sg_hsm_agreement_decode(q->input, &agreement) ||
        !sg_ec_point_read(type, agreement.point, &peer))
        return CKR_OK;
    CK_RV rv = derive(s, key, &peer, secret, size);
    if (rv == CKR_OK && !sg_ecdh_unwrap(sg_bytes_of(secret, size), agreement.info, q->digest,
                                        q->wrap, agreement.wrapped, out, q->number))
        memcpy(out, fallback, q->number);
    OPENSSL_cleanse(secret, sizeof secret);
    return rv;
}
