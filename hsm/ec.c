#include "hsm/ec.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

static const struct curve {
    int nid;
    size_t field_bytes;
    const char *name;
    uint8_t params_len, params[10];
} curves[] = {
    [SG_KEY_P256] = {NID_X9_62_prime256v1,
                     32,
                     "P-256",
                     10,
                     {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}},
    [SG_KEY_P384] = {NID_secp384r1, 48, "P-384", 7, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}},
};

size_t sg_ec_field_size(enum sg_key_type type)
{
    return curves[type].field_bytes;
}

struct sg_bytes sg_ec_params(enum sg_key_type type)
{
    return sg_bytes_of(curves[type].params, curves[type].params_len);
}

bool sg_ec_type(struct sg_bytes params, enum sg_key_type *type_r)
{
    for (int type = SG_KEY_P256; type <= SG_KEY_P384; type++) {
        if (sg_bytes_equal(params, sg_ec_params((enum sg_key_type)type))) {
            *type_r = (enum sg_key_type)type;
            return true;
        }
    }
    return false;
}

static EC_GROUP *groups[SG_KEY_P384 + 1];
static pthread_once_t groups_once = PTHREAD_ONCE_INIT;

/* Once: making one costs more than what is done with it. */
static void groups_make(void)
{
    for (int type = SG_KEY_P256; type <= SG_KEY_P384; type++)
        groups[type] = EC_GROUP_new_by_curve_name(curves[type].nid);
}

bool sg_ec_point_read(enum sg_key_type type, struct sg_bytes octets, struct sg_ec_public *point_r)
{
    pthread_once(&groups_once, groups_make);
    const EC_GROUP *group = groups[type];
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    point_r->len = 0;
    /* oct2point checks that it is on the curve. */
    if (point && octets.len && EC_POINT_oct2point(group, point, octets.data, octets.len, NULL) &&
        !EC_POINT_is_at_infinity(group, point))
        point_r->len = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED,
                                          point_r->point, sizeof point_r->point, NULL);
    EC_POINT_free(point);
    ERR_clear_error();
    return point_r->len > 0;
}

bool sg_ec_spki_read(struct sg_bytes spki, struct sg_public_key *public_r)
{
    static const uint8_t ec[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
    for (int type = SG_KEY_P256; type <= SG_KEY_P384; type++) {
        const struct curve *c = &curves[type];
        size_t names = sizeof ec + c->params_len, bits = 2 + 2 * c->field_bytes;
        size_t head_len = 4 + names + 3;
        uint8_t head[32] = {0x30, (uint8_t)(names + bits + 4), 0x30, (uint8_t)names};
        const uint8_t tail[] = {0x03, (uint8_t)bits, 0};
        memcpy(head + 4, ec, sizeof ec);
        memcpy(head + 4 + sizeof ec, c->params, c->params_len);
        memcpy(head + 4 + names, tail, sizeof tail);
        if (spki.len != head_len + bits - 1 || memcmp(spki.data, head, head_len) != 0)
            continue;
        public_r->type = (enum sg_key_type)type;
        return sg_ec_point_read(public_r->type, sg_bytes_slice(spki, head_len, spki.len),
                                &public_r->ec);
    }
    return false;
}

EVP_PKEY *sg_ec_pkey(enum sg_key_type type, const struct sg_ec_public *point)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curves[type].name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point->point,
                                          point->len),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (ctx && EVP_PKEY_fromdata_init(ctx) > 0)
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

bool sg_ec_of(EVP_PKEY *pkey, struct sg_public_key *public)
{
    char group[64];
    uint8_t point[SG_POINT_MAX];
    size_t len;
    if (!EVP_PKEY_is_a(pkey, "EC") || !EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) ||
        !EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len))
        return false;
    int nid = OBJ_sn2nid(group);
    public->type = nid == curves[SG_KEY_P384].nid ? SG_KEY_P384 : SG_KEY_P256;
    return nid == curves[public->type].nid &&
           sg_ec_point_read(public->type, sg_bytes_of(point, len), &public->ec);
}

size_t sg_ecdsa_encode(struct sg_bytes rs, uint8_t out[SG_ECDSA_MAX])
{
    int half = (int)(rs.len / 2), len = -1;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(rs.data, half, NULL), *s = BN_bin2bn(rs.data + half, half, NULL);
    if (sig && r && s && half > 0 && rs.len % 2 == 0 && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL; /* the signature's */
        if (i2d_ECDSA_SIG(sig, NULL) <= SG_ECDSA_MAX)
            len = i2d_ECDSA_SIG(sig, &out);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

bool sg_ecdsa_verify(const struct sg_public_key *public, struct sg_bytes hash,
                     struct sg_bytes signature)
{
    EVP_PKEY *pkey = sg_public_pkey(public);
    EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
    bool ok = ctx && EVP_PKEY_verify_init(ctx) > 0 &&
              EVP_PKEY_verify(ctx, signature.data, signature.len, hash.data, hash.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return ok;
}

static bool derive(struct sg_bytes secret, struct sg_bytes info, enum sg_hsm_digest digest,
                   uint8_t *out, size_t len)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                         (char *)EVP_MD_get0_name(sg_hsm_md(digest)), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.data, secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.data, info.len),
        OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_X963KDF, NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx && EVP_KDF_derive(ctx, out, len, params) > 0;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

bool sg_ecdh_unwrap(struct sg_bytes secret, struct sg_bytes info, enum sg_hsm_digest digest,
                    enum sg_hsm_wrap wrap, struct sg_bytes wrapped, uint8_t *out, size_t len)
{
    static const struct {
        const EVP_CIPHER *(*cipher)(void);
        size_t key_bytes, overhead;
    } wraps[] = {
        [SG_HSM_AES128_WRAP] = {EVP_aes_128_wrap, 16, 8},
        [SG_HSM_AES192_WRAP] = {EVP_aes_192_wrap, 24, 8},
        [SG_HSM_AES256_WRAP] = {EVP_aes_256_wrap, 32, 8},
        [SG_HSM_3DES_WRAP] = {EVP_des_ede3_wrap, 24, 16},
    };
    uint8_t kek[32], cek[SG_HSM_WRAPPED_MAX + EVP_MAX_BLOCK_LENGTH];
    int got = 0, last = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && wrapped.len == len + wraps[wrap].overhead &&
              wrapped.len <= SG_HSM_WRAPPED_MAX &&
              derive(secret, info, digest, kek, wraps[wrap].key_bytes);
    if (ok) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        ok = EVP_DecryptInit_ex(ctx, wraps[wrap].cipher(), NULL, kek, NULL) &&
             EVP_DecryptUpdate(ctx, cek, &got, wrapped.data, (int)wrapped.len) > 0 &&
             EVP_DecryptFinal_ex(ctx, cek + got, &last) > 0 && (size_t)(got + last) == len;
    }
    if (ok)
        memcpy(out, cek, len);
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(kek, sizeof kek);
    OPENSSL_cleanse(cek, sizeof cek);
    ERR_clear_error();
    return ok;
}
