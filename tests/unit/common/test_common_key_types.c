/* OpenSSL reads public keys of the types that were named, no others, and private keys; all else of
 * it is as it was. */
#include "cmocka_all.h"
#include "common/key_types.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

static EVP_PKEY *through_spki(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    const unsigned char *p = der;
    EVP_PKEY *read = d2i_PUBKEY(NULL, &p, len);
    OPENSSL_free(der);
    return read;
}

static EVP_PKEY *through_pkcs8(EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    assert_non_null(info);
    EVP_PKEY *read = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    return read;
}

static EVP_PKEY *through_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    EVP_PKEY *read = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return read;
}

typedef EVP_PKEY *(*way)(EVP_PKEY *key);
static const way ways[] = {through_spki, through_pkcs8, through_pem};

static void test_named_types_are_read(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {EVP_EC_gen("P-256"), EVP_EC_gen("P-384"), EVP_RSA_gen(2048)};
    for (size_t k = 0; k < 3; k++) {
        for (size_t w = 0; w < 3; w++) {
            EVP_PKEY *read = ways[w](keys[k]);
            assert_non_null(read);
            assert_int_equal(EVP_PKEY_eq(read, keys[k]), 1);
            EVP_PKEY_free(read);
        }
        EVP_PKEY_free(keys[k]);
    }
}

static void test_others_are_not(void **state)
{
    (void)state;
    static const char *const others[] = {"ED25519", "X25519", "ED448"};
    for (size_t k = 0; k < 3; k++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, others[k]);
        assert_non_null(key); /* it can be made and used */
        assert_null(through_spki(key));
        EVP_PKEY_free(key);
    }
}

/* What was read works, and so does what reads no keys. */
static void test_the_rest_works(void **state)
{
    (void)state;
    static const uint8_t text[] = "signed";
    EVP_PKEY *made = EVP_EC_gen("P-256"), *key = through_pkcs8(made), *public = through_spki(made);
    uint8_t signature[128], random[16];
    size_t len = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, text, sizeof text), 1);
    EVP_MD_CTX_reset(ctx);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, public), 1);
    assert_int_equal(EVP_DigestVerify(ctx, signature, len, text, sizeof text), 1);
    signature[len - 1] ^= 1;
    assert_int_not_equal(EVP_DigestVerify(ctx, signature, len, text, sizeof text), 1);
    EVP_MD_CTX_free(ctx);
    EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", "provider=default");
    assert_non_null(gcm);
    EVP_CIPHER_free(gcm);
    assert_int_equal(RAND_bytes(random, sizeof random), 1);
    assert_int_equal(OSSL_PROVIDER_available(NULL, "default"), 0);
    EVP_PKEY_free(made);
    EVP_PKEY_free(key);
    EVP_PKEY_free(public);
}

/* Of an OpenSSL that lacks one of the decoders all goes on as it is. */
static int unknown_ones_change_nothing(void)
{
    static const char *const unknown[] = {"RSA", "no such type", NULL};
    struct sg_error err = {0};
    if (sg_key_types_set(unknown, &err))
        return 1;
    EVP_PKEY *made = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *read = made ? through_spki(made) : NULL;
    int wrong = read ? 0 : 1;
    EVP_PKEY_free(made);
    EVP_PKEY_free(read);
    return wrong;
}

/* In a process of its own: it holds for the whole process. */
static void test_unknown_types_change_nothing(void **state)
{
    int status = 0;
    (void)state;
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    if ((child = fork()) == 0)
        _exit(unknown_ones_change_nothing());
    static const char *const types[] = {"RSA", "EC", NULL};
    struct sg_error err = {0};
    if (!sg_key_types_set(types, &err))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_types_are_read), cmocka_unit_test(test_others_are_not),
        cmocka_unit_test(test_the_rest_works), cmocka_unit_test(test_unknown_types_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
