/* hsm/pkix.c, against OpenSSL with a key in software. */
#include "hsm/pkix.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static EVP_PKEY *key, *other;
static struct sg_public_key public;
static uint8_t spki[SG_SPKI_MAX];
static size_t spki_len;

static int setup(void **state)
{
    (void)state;
    struct sg_error err;
    BIGNUM *n = NULL;
    uint8_t modulus[256];
    key = EVP_RSA_gen(2048);
    other = EVP_RSA_gen(2048);
    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    BN_bn2bin(n, modulus);
    BN_free(n);
    assert_true(
        sg_rsa_public_set(&public.rsa, sg_bytes_of(modulus, 256), sg_bytes_of(NULL, 0), &err));
    assert_true(sg_spki_encode(&public, spki, &spki_len, &err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return 0;
}

static void spki_is_what_openssl_makes(void **state)
{
    (void)state;
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    assert_int_equal(len, spki_len);
    assert_memory_equal(der, spki, spki_len);
    OPENSSL_free(der);
    struct sg_public_key back;
    struct sg_error err;
    assert_true(sg_spki_decode(sg_bytes_of(spki, spki_len), &back, &err));
    assert_memory_equal(&back, &public, sizeof back);
    assert_false(sg_spki_decode(sg_bytes_of(spki, spki_len - 1), &back, &err));
    assert_int_equal(err.code, SG_E_HSM_KEY);
}

static void small_keys_are_none(void **state)
{
    (void)state;
    struct sg_error err;
    struct sg_rsa_public p;
    uint8_t n[520] = {1};
    assert_false(sg_rsa_public_set(&p, sg_bytes_of(n, 128), sg_bytes_of(NULL, 0), &err));
    assert_false(sg_rsa_public_set(&p, sg_bytes_of(n, 513), sg_bytes_of(NULL, 0), &err));
    assert_false(sg_rsa_public_set(&p, sg_bytes_of(n + 1, 512), sg_bytes_of(NULL, 0), &err));
    assert_false(sg_rsa_public_set(&p, sg_bytes_of(n, 256), sg_bytes_of(n, 9), &err));
}

/* Our DigestInfo under a raw private-key operation is a signature that OpenSSL accepts. */
static void digest_info_verifies(void **state)
{
    (void)state;
    const EVP_MD *digests[] = {NULL, EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()};
    for (int d = SG_HSM_SHA1; d <= SG_HSM_SHA512; d++) {
        uint8_t hash[64] = {1, 2, 3}, info[SG_DIGEST_INFO_MAX], signature[256];
        size_t size = sg_hsm_digest_size((enum sg_hsm_digest)d), len = sizeof signature;
        size_t info_len = sg_digest_info((enum sg_hsm_digest)d, sg_bytes_of(hash, size), info);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
        assert_true(EVP_PKEY_sign_init(ctx) > 0);
        assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0);
        assert_true(EVP_PKEY_sign(ctx, signature, &len, info, info_len) > 0);
        EVP_PKEY_CTX_free(ctx);
        ctx = EVP_PKEY_CTX_new(key, NULL);
        assert_true(EVP_PKEY_verify_init(ctx) > 0);
        assert_true(EVP_PKEY_CTX_set_signature_md(ctx, digests[d]) > 0);
        assert_int_equal(EVP_PKEY_verify(ctx, signature, len, hash, size), 1);
        EVP_PKEY_CTX_free(ctx);
        assert_int_equal(sg_digest_info((enum sg_hsm_digest)d, sg_bytes_of(hash, 7), info), 0);
    }
}

static void unpadding_tells_good_from_bad(void **state)
{
    (void)state;
    enum { K = 256, LEN = 32 };
    uint8_t em[K], fallback[LEN], out[LEN], want[LEN];
    memset(fallback, 0xee, sizeof fallback);
    memset(want, 0x42, sizeof want);
    memset(em, 0x11, sizeof em);
    em[0] = 0;
    em[1] = 2;
    em[K - LEN - 1] = 0;
    memset(em + K - LEN, 0x42, LEN);
    sg_pkcs1_unpad(sg_bytes_of(em, K), fallback, out, LEN);
    assert_memory_equal(out, want, LEN);
    /* Any octet of the padding wrong, in any way that matters. */
    for (int i = 0; i < K - LEN; i++) {
        uint8_t was = em[i];
        em[i] = i < 2 || i == K - LEN - 1 ? (uint8_t)(was ^ 0x80) : 0;
        sg_pkcs1_unpad(sg_bytes_of(em, K), fallback, out, LEN);
        assert_memory_equal(out, fallback, LEN);
        em[i] = was;
    }
    /* A key of another length than was asked for. */
    sg_pkcs1_unpad(sg_bytes_of(em, K), fallback, out, LEN - 1);
    assert_memory_equal(out, fallback, LEN - 1);
    sg_pkcs1_unpad(sg_bytes_of(em, K), fallback, out, 16);
    assert_memory_equal(out, fallback, 16);
    /* Zero octets within the key itself are the key's. */
    em[K - 3] = want[LEN - 3] = 0;
    sg_pkcs1_unpad(sg_bytes_of(em, K), fallback, out, LEN);
    assert_memory_equal(out, want, LEN);
}

/* A block as OpenSSL pads it, seen through a raw operation. */
static void oaep_block(const EVP_MD *md, const EVP_MD *mask, struct sg_bytes cek, uint8_t em[256])
{
    uint8_t encrypted[256];
    size_t len = sizeof encrypted;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_true(EVP_PKEY_encrypt_init(ctx) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mask) > 0);
    assert_true(EVP_PKEY_encrypt(ctx, encrypted, &len, cek.data, cek.len) > 0);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new(key, NULL);
    len = 256;
    assert_true(EVP_PKEY_decrypt_init(ctx) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0);
    assert_true(EVP_PKEY_decrypt(ctx, em, &len, encrypted, 256) > 0);
    EVP_PKEY_CTX_free(ctx);
}

static void oaep_is_unpadded_as_openssl_pads_it(void **state)
{
    (void)state;
    struct sg_error err;
    uint8_t em[256], fallback[64], out[64], cek[32] = {0, 0, 1, 2, 3};
    memset(fallback, 0xee, sizeof fallback);
    for (int d = SG_HSM_SHA1; d <= SG_HSM_SHA512; d++) {
        for (int m = SG_HSM_SHA1; m <= SG_HSM_SHA512; m++) {
            enum sg_hsm_digest digest = (enum sg_hsm_digest)d, mask = (enum sg_hsm_digest)m;
            struct sg_bytes block = sg_bytes_of(em, sizeof em);
            oaep_block(sg_hsm_md(digest), sg_hsm_md(mask), sg_bytes_of(cek, 32), em);
            assert_true(sg_oaep_unpad(block, digest, mask, fallback, out, 32, &err));
            assert_memory_equal(out, cek, 32);
            assert_true(sg_oaep_unpad(block, digest, mask, fallback, out, 31, &err));
            assert_memory_equal(out, fallback, 31);
            assert_true(sg_oaep_unpad(block, digest, mask, fallback, out, 33, &err));
            assert_memory_equal(out, fallback, 33);
            enum sg_hsm_digest next = (enum sg_hsm_digest)(1 + d % 4);
            assert_true(sg_oaep_unpad(block, next, mask, fallback, out, 32, &err));
            assert_memory_equal(out, fallback, 32);
            for (size_t i = 0; i < sizeof em; i++) { /* a bit of it wrong, anywhere */
                em[i] ^= 1;
                assert_true(sg_oaep_unpad(block, digest, mask, fallback, out, 32, &err));
                assert_memory_equal(out, fallback, 32);
                em[i] ^= 1;
            }
        }
    }
}

static void range_of_a_ciphertext(void **state)
{
    (void)state;
    uint8_t c[257] = {0};
    memcpy(c, public.rsa.n, 256);
    assert_false(sg_rsa_in_range(&public.rsa, sg_bytes_of(c, 256))); /* the modulus itself */
    c[255]--;
    assert_true(sg_rsa_in_range(&public.rsa, sg_bytes_of(c, 256)));
    assert_false(sg_rsa_in_range(&public.rsa, sg_bytes_of(c, 255)));
    assert_false(sg_rsa_in_range(&public.rsa, sg_bytes_of(c, 257)));
    memset(c, 0xff, sizeof c);
    assert_false(sg_rsa_in_range(&public.rsa, sg_bytes_of(c, 256)));
}

/* The CertificationRequestInfo of a request that OpenSSL signed. */
static size_t info_of(EVP_PKEY *signer, uint8_t *out)
{
    X509_REQ *req = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(req);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const uint8_t *)"domain-confidentiality-authority", -1, -1, 0);
    X509_REQ_set_pubkey(req, signer);
    X509_REQ_sign(req, signer, EVP_sha256());
    uint8_t *der = NULL;
    int len = i2d_re_X509_REQ_tbs(req, &der);
    assert_true(len > 0);
    memcpy(out, der, (size_t)len);
    OPENSSL_free(der);
    X509_REQ_free(req);
    return (size_t)len;
}

static void a_request_is_signed(void **state)
{
    (void)state;
    uint8_t info[2048], hash[EVP_MAX_MD_SIZE], signature[256], out[4096];
    size_t info_len = info_of(key, info), len = sizeof signature, out_len = 0;
    struct sg_csr *csr;
    struct sg_error err;
    assert_true(sg_csr_prepare(sg_bytes_of(info, info_len), &public, &csr, hash, &err));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_true(EVP_PKEY_sign_init(ctx) > 0);
    assert_true(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0);
    assert_true(EVP_PKEY_sign(ctx, signature, &len, hash, 32) > 0);
    EVP_PKEY_CTX_free(ctx);
    assert_false(sg_csr_finish(csr, sg_bytes_of(hash, 32), out, sizeof out, &out_len, &err));
    assert_int_equal(err.code, SG_E_HSM_OPERATION);
    assert_false(sg_csr_finish(csr, sg_bytes_of(signature, len), out, 100, &out_len, &err));
    assert_true(sg_csr_finish(csr, sg_bytes_of(signature, len), out, sizeof out, &out_len, &err));
    sg_csr_free(&csr);
    const uint8_t *p = out;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)out_len);
    assert_non_null(req);
    assert_int_equal(X509_REQ_verify(req, key), 1);
    assert_int_equal(X509_REQ_get_signature_nid(req), NID_sha256WithRSAEncryption);
    X509_REQ_free(req);
}

static void other_requests_are_refused(void **state)
{
    (void)state;
    uint8_t info[2048], hash[EVP_MAX_MD_SIZE];
    size_t len = info_of(other, info);
    struct sg_csr *csr;
    struct sg_error err;
    assert_false(sg_csr_prepare(sg_bytes_of(info, len), &public, &csr, hash, &err));
    assert_int_equal(err.code, SG_E_INVALID);
    len = info_of(key, info);
    assert_false(sg_csr_prepare(sg_bytes_of(info, len - 1), &public, &csr, hash, &err));
    info[len] = 0;
    assert_false(sg_csr_prepare(sg_bytes_of(info, len + 1), &public, &csr, hash, &err));
    assert_false(sg_csr_prepare(sg_bytes_of(info, 0), &public, &csr, hash, &err));
    assert_int_equal(info[6], 0); /* the version */
    info[6] = 1;
    assert_false(sg_csr_prepare(sg_bytes_of(info, len), &public, &csr, hash, &err));
    /* What would be a certificate when signed is not signed here. */
    assert_false(sg_csr_prepare(sg_bytes_of(spki, spki_len), &public, &csr, hash, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spki_is_what_openssl_makes),
        cmocka_unit_test(small_keys_are_none),
        cmocka_unit_test(digest_info_verifies),
        cmocka_unit_test(unpadding_tells_good_from_bad),
        cmocka_unit_test(oaep_is_unpadded_as_openssl_pads_it),
        cmocka_unit_test(range_of_a_ciphertext),
        cmocka_unit_test(a_request_is_signed),
        cmocka_unit_test(other_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
