/* Data keys: made in the HSM, given out in clear, kept wrapped by whoever asked. */
#include "hsm/keystore_internal.h"

#include <openssl/crypto.h>
#include <string.h>

/* Reads the value, destroys the object. */
static CK_RV value_take(const struct sg_session *s, CK_OBJECT_HANDLE object,
                        struct sg_result *result)
{
    CK_RV rv = sg_p11_get(s->p11, s->handle, object, CKA_VALUE, result->first, SG_HSM_DATA_KEY,
                          &result->first_len);
    CK_RV destroyed = s->p11->C_DestroyObject(s->handle, object);
    if (rv == CKR_OK && result->first_len != SG_HSM_DATA_KEY)
        rv = CKR_FUNCTION_FAILED;
    if (rv == CKR_OK)
        rv = destroyed;
    if (rv != CKR_OK)
        OPENSSL_cleanse(result->first, SG_HSM_DATA_KEY);
    return rv;
}

CK_RV sg_data_key_make(struct sg_keystore *store, const struct sg_session *s,
                       const struct sg_hsm_request *names, struct sg_result *result,
                       struct sg_error *err)
{
    struct sg_kek kek;
    CK_OBJECT_HANDLE key;
    CK_ULONG bytes = SG_HSM_DATA_KEY, wrapped_len = 128;
    uint8_t wrapped[128];
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}, wrap = {CKM_AES_KEY_WRAP, NULL, 0};
    CK_ATTRIBUTE attrs[] = {SG_P11_VALUE(CKA_VALUE_LEN, bytes), SG_P11_BOOL(CKA_TOKEN, false),
                            SG_P11_BOOL(CKA_PRIVATE, true), SG_P11_BOOL(CKA_SENSITIVE, false),
                            SG_P11_BOOL(CKA_EXTRACTABLE, true)};
    result->first_len = result->second_len = 0;
    CK_RV rv = sg_keyring_get(store->keyring, s, 0, &kek, err);
    if (rv == CKR_OK)
        rv = s->p11->C_GenerateKey(s->handle, &generate, attrs, sizeof attrs / sizeof attrs[0],
                                   &key);
    if (rv != CKR_OK)
        return rv;
    rv = s->p11->C_WrapKey(s->handle, &wrap, kek.data, key, wrapped, &wrapped_len);
    if (rv != CKR_OK) {
        s->p11->C_DestroyObject(s->handle, key);
        return rv;
    }
    rv = value_take(s, key, result);
    struct sg_blob blob = {.type = SG_BLOB_DATA,
                           .generation = kek.generation,
                           .wrapped = sg_bytes_of(wrapped, wrapped_len)};
    return rv == CKR_OK ? sg_blob_seal(s, &kek, &blob, names, result, err) : rv;
}

CK_RV sg_data_key_open(struct sg_keystore *store, const struct sg_session *s,
                       const struct sg_hsm_request *names, struct sg_result *result,
                       struct sg_error *err)
{
    struct sg_blob blob;
    struct sg_kek kek;
    CK_OBJECT_HANDLE key;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP, NULL, 0};
    CK_ATTRIBUTE attrs[] = {SG_P11_VALUE(CKA_CLASS, class),    SG_P11_VALUE(CKA_KEY_TYPE, type),
                            SG_P11_BOOL(CKA_TOKEN, false),     SG_P11_BOOL(CKA_PRIVATE, true),
                            SG_P11_BOOL(CKA_SENSITIVE, false), SG_P11_BOOL(CKA_EXTRACTABLE, true)};
    result->first_len = result->second_len = 0;
    CK_RV rv = sg_blob_unseal(store, s, names->input, SG_BLOB_DATA, names, &blob, &kek, err);
    if (rv == CKR_OK)
        rv = s->p11->C_UnwrapKey(s->handle, &mechanism, kek.data, (CK_BYTE *)blob.wrapped.data,
                                 blob.wrapped.len, attrs, sizeof attrs / sizeof attrs[0], &key);
    return rv == CKR_OK ? value_take(s, key, result) : rv;
}
