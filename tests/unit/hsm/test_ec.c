/* hsm/ec.c, against OpenSSL with keys in software. */
#include "hsm/ec.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static EVP_PKEY *keys[SG_KEY_P384 + 1];
static struct sg_public_key publics[SG_KEY_P384 + 1];

static int setup(void **state)
{
    (void)state;
    keys[SG_KEY_P256] = EVP_EC_gen("P-256");
    keys[SG_KEY_P384] = EVP_EC_gen("P-384");
    for (int t = SG_KEY_P256; t <= SG_KEY_P384; t++)
        assert_true(sg_ec_of(keys[t], &publics[t]));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int t = SG_KEY_P256; t <= SG_KEY_P384; t++)
        EVP_PKEY_free(keys[t]);
    return 0;
}

static void public_keys_are_what_openssl_makes(void **state)
{
    (void)state;
    for (int t = SG_KEY_P256; t <= SG_KEY_P384; t++) {
        uint8_t *der = NULL, spki[SG_SPKI_MAX];
        size_t spki_len;
        struct sg_error err;
        struct sg_public_key back;
        int len = i2d_PUBKEY(keys[t], &der);
        assert_int_equal(publics[t].type, t);
        assert_true(sg_spki_encode(&publics[t], spki, &spki_len, &err));
        assert_int_equal(len, spki_len);
        assert_memory_equal(der, spki, spki_len);
        OPENSSL_free(der);
        assert_true(sg_spki_decode(sg_bytes_of(spki, spki_len), &back, &err));
        assert_int_equal(back.type, t);
        assert_memory_equal(back.ec.point, publics[t].ec.point, back.ec.len);
        assert_true(sg_ec_spki_read(sg_bytes_of(spki, spki_len), &back));
        assert_int_equal(back.type, t);
        assert_memory_equal(back.ec.point, publics[t].ec.point, back.ec.len);
        for (size_t i = 0; i < spki_len; i++) {
            spki[i] ^= 0x40;
            assert_false(sg_spki_decode(sg_bytes_of(spki, spki_len), &back, &err));
            spki[i] ^= 0x40;
            assert_false(sg_ec_spki_read(sg_bytes_of(spki, i), &back));
        }
        enum sg_key_type type;
        assert_true(sg_ec_type(sg_ec_params((enum sg_key_type)t), &type));
        assert_int_equal(type, t);
    }
}

static void other_curves_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"P-521", "P-224", "secp256k1", "brainpoolP256r1"};
    struct sg_public_key public;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EVP_PKEY *key = EVP_EC_gen(names[i]);
        assert_non_null(key);
        assert_false(sg_ec_of(key, &public));
        EVP_PKEY_free(key);
    }
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    assert_false(sg_ec_of(rsa, &public));
    EVP_PKEY_free(rsa);
    enum sg_key_type type;
    assert_false(sg_ec_type(sg_bytes_of("\x06\x05\x2b\x81\x04\x00\x23", 7), &type));
    assert_false(sg_ec_type(sg_bytes_of(NULL, 0), &type));
}

static void points_must_be_on_the_curve(void **state)
{
    (void)state;
    for (int i = SG_KEY_P256; i <= SG_KEY_P384; i++) {
        enum sg_key_type t = (enum sg_key_type)i,
                         other = t == SG_KEY_P256 ? SG_KEY_P384 : SG_KEY_P256;
        const struct sg_ec_public *good = &publics[t].ec;
        struct sg_ec_public got;
        uint8_t point[SG_POINT_MAX + 1];
        memcpy(point, good->point, good->len);
        assert_true(sg_ec_point_read(t, sg_bytes_of(point, good->len), &got));
        assert_memory_equal(got.point, good->point, good->len);
        assert_false(sg_ec_point_read(other, sg_bytes_of(point, good->len), &got));
        for (size_t n = 0; n < good->len; n++)
            assert_false(sg_ec_point_read(t, sg_bytes_of(point, n), &got));
        assert_false(sg_ec_point_read(t, sg_bytes_of(point, good->len + 1), &got));
        for (size_t n = 0; n < good->len; n++) {
            point[n] ^= 1;
            assert_false(sg_ec_point_read(t, sg_bytes_of(point, good->len), &got));
            point[n] ^= 1;
        }
        size_t field = sg_ec_field_size(t);
        point[0] = (uint8_t)(2 | (point[good->len - 1] & 1)); /* compressed */
        assert_true(sg_ec_point_read(t, sg_bytes_of(point, field + 1), &got));
        assert_memory_equal(got.point, good->point, good->len);
        memset(point, 0, sizeof point); /* infinity, and the origin */
        assert_false(sg_ec_point_read(t, sg_bytes_of(point, 1), &got));
        assert_false(sg_ec_point_read(t, sg_bytes_of(point, good->len), &got));
        point[0] = 4;
        assert_false(sg_ec_point_read(t, sg_bytes_of(point, good->len), &got));
        memset(point + 1, 0xff, good->len - 1); /* beyond the field */
        assert_false(sg_ec_point_read(t, sg_bytes_of(point, good->len), &got));
    }
}

static void signatures_are_in_der(void **state)
{
    (void)state;
    static const uint8_t hash[32] = {1, 2, 3};
    uint8_t der[SG_ECDSA_MAX], rs[96];
    /* Small numbers have no leading zeros, large ones get one. */
    memset(rs, 0, sizeof rs);
    rs[31] = 5;
    memset(rs + 32, 0xff, 32);
    size_t len = sg_ecdsa_encode(sg_bytes_of(rs, 64), der);
    assert_int_equal(len, 2 + 3 + 2 + 33);
    assert_memory_equal(der, "\x30\x26\x02\x01\x05\x02\x21\x00\xff", 9);
    assert_int_equal(sg_ecdsa_encode(sg_bytes_of(rs, 63), der), 0);
    assert_int_equal(sg_ecdsa_encode(sg_bytes_of(rs, 0), der), 0);
    for (int t = SG_KEY_P256; t <= SG_KEY_P384; t++) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(keys[t], NULL);
        uint8_t sig[SG_ECDSA_MAX];
        len = sizeof sig;
        assert_true(EVP_PKEY_sign_init(ctx) > 0 && EVP_PKEY_sign(ctx, sig, &len, hash, 32) > 0);
        EVP_PKEY_CTX_free(ctx);
        assert_true(sg_ecdsa_verify(&publics[t], sg_bytes_of(hash, 32), sg_bytes_of(sig, len)));
        sig[len - 1] ^= 1;
        assert_false(sg_ecdsa_verify(&publics[t], sg_bytes_of(hash, 32), sg_bytes_of(sig, len)));
    }
}

/* The KEK that OpenSSL's own agreement with a KDF gives, and a key wrapped under it. */
static size_t wrap_with(struct sg_bytes secret, struct sg_bytes info, const EVP_MD *md,
                        const EVP_CIPHER *cipher, struct sg_bytes cek, uint8_t *out)
{
    uint8_t kek[64], block[EVP_MAX_MD_SIZE];
    size_t want = (size_t)EVP_CIPHER_get_key_length(cipher), have = 0;
    for (uint8_t counter = 1; have < want; counter++) { /* SEC 1 §3.6.1, step by step */
        unsigned n = 0;
        uint8_t be[4] = {0, 0, 0, counter};
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert_true(EVP_DigestInit_ex(ctx, md, NULL) &&
                    EVP_DigestUpdate(ctx, secret.data, secret.len) &&
                    EVP_DigestUpdate(ctx, be, 4) && EVP_DigestUpdate(ctx, info.data, info.len) &&
                    EVP_DigestFinal_ex(ctx, block, &n));
        EVP_MD_CTX_free(ctx);
        for (unsigned i = 0; i < n && have < want; i++)
            kek[have++] = block[i];
    }
    int len = 0, last = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    assert_true(EVP_EncryptInit_ex(ctx, cipher, NULL, kek, NULL) &&
                EVP_EncryptUpdate(ctx, out, &len, cek.data, (int)cek.len) &&
                EVP_EncryptFinal_ex(ctx, out + len, &last));
    EVP_CIPHER_CTX_free(ctx);
    return (size_t)(len + last);
}

static void wrapped_keys_open(void **state)
{
    (void)state;
    static const EVP_CIPHER *(*const ciphers[])(void) = {NULL, EVP_aes_128_wrap, EVP_aes_192_wrap,
                                                         EVP_aes_256_wrap, EVP_des_ede3_wrap};
    const struct sg_bytes secret = sg_bytes_str("an agreed secret of 32 octets .."),
                          info = sg_bytes_str("some shared info");
    uint8_t cek[32] = {0, 1, 2, 3, 0}, out[32], wrapped[80];
    for (int d = SG_HSM_SHA1; d <= SG_HSM_SHA384; d++) {
        for (int w = SG_HSM_AES128_WRAP; w <= SG_HSM_3DES_WRAP; w++) {
            for (size_t len = 16; len <= 32; len += 8) {
                enum sg_hsm_digest digest = (enum sg_hsm_digest)d;
                enum sg_hsm_wrap wrap = (enum sg_hsm_wrap)w;
                struct sg_bytes sealed =
                    sg_bytes_of(wrapped, wrap_with(secret, info, sg_hsm_md(digest), ciphers[w](),
                                                   sg_bytes_of(cek, len), wrapped));
                assert_true(sg_ecdh_unwrap(secret, info, digest, wrap, sealed, out, len));
                assert_memory_equal(out, cek, len);
                assert_false(sg_ecdh_unwrap(secret, info, digest, wrap, sealed, out, len - 8));
                assert_false(sg_ecdh_unwrap(secret, sg_bytes_str("other info"), digest, wrap,
                                            sealed, out, len));
                assert_false(sg_ecdh_unwrap(info, info, digest, wrap, sealed, out, len));
                wrapped[len / 2] ^= 1;
                assert_false(sg_ecdh_unwrap(secret, info, digest, wrap, sealed, out, len));
            }
        }
    }
    assert_false(sg_ecdh_unwrap(secret, info, SG_HSM_SHA256, SG_HSM_AES128_WRAP,
                                sg_bytes_of(NULL, 0), out, 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_are_what_openssl_makes),
        cmocka_unit_test(other_curves_are_refused),
        cmocka_unit_test(points_must_be_on_the_curve),
        cmocka_unit_test(signatures_are_in_der),
        cmocka_unit_test(wrapped_keys_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
