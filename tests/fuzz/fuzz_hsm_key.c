/*
 * What callers hand to hsmd inside a request: wrapped keys, certification requests, key agreements
 * and padded blocks; and the configuration's rules.
 */
#include "hsm/access.h"
#include "hsm/blob.h"
#include "hsm/ec.h"
#include "hsm/pkix.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void blob_try(struct sg_bytes data, enum sg_blob_type type)
{
    static uint8_t out[SG_HSM_BLOB_MAX];
    struct sg_blob blob;
    if (!sg_blob_decode(data, type, &blob, NULL))
        return;
    size_t len = sg_blob_encode(&blob, out, sizeof out);
    if (len != data.len || !sg_bytes_equal(data, sg_bytes_of(out, len)))
        abort();
}

/* The key is the request's own, where it has one: so that the way past the comparison is taken. */
static void csr_try(struct sg_bytes info)
{
    uint8_t hash[EVP_MAX_MD_SIZE], out[SG_HSM_FIRST_MAX];
    static const size_t sizes[] = {294, 91, 120}; /* RSA-2048, P-256, P-384 */
    size_t len;
    struct sg_csr *csr = NULL;
    for (size_t at = 0; at < info.len && at < 256; at++) {
        for (size_t i = 0; info.data[at] == 0x30 && i < sizeof sizes / sizeof *sizes; i++) {
            struct sg_public_key public;
            if (!sg_spki_decode(sg_bytes_slice(info, at, sizes[i]), &public, NULL) ||
                !sg_csr_prepare(info, &public, &csr, hash, NULL))
                continue;
            if (sg_csr_finish(csr, sg_bytes_of(hash, 32), out, sizeof out, &len, NULL))
                abort(); /* a hash is no signature */
            sg_csr_free(&csr);
        }
    }
}

/* The first half of an agreement: points of foreign mail, shared info, wrapped keys. What is no
 * point of the curve never gets to the HSM; no wrapped key opens under a key that is not its own.
 */
static void agreement_try(struct sg_bytes data)
{
    struct sg_hsm_agreement agreement;
    struct sg_ec_public point, again;
    uint8_t cek[SG_HSM_CEK_MAX];
    if (!sg_hsm_agreement_decode(data, &agreement))
        return;
    for (int type = SG_KEY_P256; type <= SG_KEY_P384; type++) {
        enum sg_key_type t = (enum sg_key_type)type;
        if (!sg_ec_point_read(t, agreement.point, &point))
            continue;
        if (point.len != 1 + 2 * sg_ec_field_size(t) ||
            !sg_ec_point_read(t, sg_bytes_of(point.point, point.len), &again) ||
            memcmp(point.point, again.point, point.len) != 0)
            abort();
    }
    for (int wrap = SG_HSM_AES128_WRAP; wrap <= SG_HSM_3DES_WRAP; wrap++)
        for (size_t len = 16; len <= 32; len += 8)
            if (sg_ecdh_unwrap(sg_bytes_str("an agreed secret of 32 octets .."), agreement.info,
                               SG_HSM_SHA256, (enum sg_hsm_wrap)wrap, agreement.wrapped, cek, len))
                abort();
}

static void padding_try(struct sg_bytes data)
{
    static const uint8_t fallback[64] = {1};
    uint8_t out[64];
    if (data.len < 258)
        return;
    struct sg_bytes em = sg_bytes_slice(data, 2, data.len > 514 ? 512 : data.len - 2);
    enum sg_hsm_digest digest = (enum sg_hsm_digest)(1 + data.data[0] % 4);
    enum sg_hsm_digest mask = (enum sg_hsm_digest)(1 + data.data[1] % 4);
    sg_pkcs1_unpad(em, fallback, out, 32);
    if (!sg_oaep_unpad(em, digest, mask, fallback, out, sizeof out, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > SG_HSM_BLOB_MAX)
        return 0;
    struct sg_bytes rest = sg_bytes_of(data + 1, size - 1);
    if (data[0] == 0) {
        blob_try(rest, SG_BLOB_PRIVATE);
        blob_try(rest, SG_BLOB_DATA);
    } else if (data[0] == 1) {
        csr_try(rest);
    } else if (data[0] == 3) {
        agreement_try(rest);
    } else if (data[0] == 4) {
        padding_try(rest);
    } else {
        struct sg_access access;
        char *text = strndup((const char *)rest.data, rest.len);
        if (text && sg_access_parse(text, &access, NULL) &&
            (access.count == 0 || access.count > SG_ACCESS_RULES))
            abort();
        free(text);
    }
    return 0;
}
