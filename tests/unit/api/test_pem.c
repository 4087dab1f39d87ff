#include "bombs.h"
#include "support.h"

#include "api/pem.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* What a certificate of these tests is like. */
struct shape {
    const char *constraints, *usage;
    int bits;
    long from_days, to_days;
    bool foreign_issuer;
};

static const struct shape root = {
    "critical,CA:TRUE", "critical,keyCertSign,cRLSign", 2048, -1, 10, false};

static void extension_add(X509 *x, int nid, const char *value)
{
    if (!value)
        return;
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static void certificate_make(const struct shape *s, char *pem, size_t size)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)s->bits);
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 4711);
    X509_gmtime_adj(X509_getm_notBefore(x), s->from_days * 86400);
    X509_gmtime_adj(X509_getm_notAfter(x), s->to_days * 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"Wurzel-Ä, 1", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    if (s->foreign_issuer)
        X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "C", MBSTRING_ASC,
                                   (const unsigned char *)"NZ", -1, -1, 0);
    X509_set_pubkey(x, key);
    extension_add(x, NID_basic_constraints, s->constraints);
    extension_add(x, NID_key_usage, s->usage);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x);
    int n = BIO_read(out, pem, (int)size - 1);
    assert_true(n > 0);
    pem[n] = 0;
    BIO_free(out);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void test_read(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    char pem[4096];
    struct api_certificates found;
    struct sg_error err = {0};
    certificate_make(&root, pem, sizeof pem);
    const char *two = sg_arena_printf(arena, "Subject: explained\n%s\r\n\r\n%s", pem, pem);
    assert_true(api_pem_read(arena, two, 2, &found, &err));
    assert_int_equal(found.count, 2);
    assert_string_equal(found.items[0].subject, "CN=Wurzel-Ä\\, 1");
    /* Written again it is the same, byte for byte. */
    assert_string_equal(api_pem_write(arena, "CERTIFICATE", found.items[0].der), pem);
    assert_false(api_pem_read(arena, two, 1, &found, &err));
    assert_int_equal(err.code, SG_E_INVALID);

    const char *value = two;
    assert_true(api_check_pem(arena, &value, &err));
    assert_string_equal(value, sg_arena_printf(arena, "%s%s", pem, pem));
    value = "";
    assert_true(api_check_pem(arena, &value, &err));
    assert_string_equal(value, "");
}

static void test_refused(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    char pem[4096];
    certificate_make(&root, pem, sizeof pem);
    struct sg_error ignored;
    struct api_certificates found;
    assert_true(api_pem_read(arena, pem, 1, &found, &ignored));
    uint8_t longer[2048] = {0};
    memcpy(longer, found.items[0].der.data, found.items[0].der.len);
    const char *trailing =
        api_pem_write(arena, "CERTIFICATE", sg_bytes_of(longer, found.items[0].der.len + 1));
    const char *const bad[] = {
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        trailing,
        sg_arena_printf(arena, "%s-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                        pem),
        sg_arena_printf(arena, "%s-----BEGIN CERTIFICATE-----\nAAAA\n", pem),
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct sg_error err = {0};
        if (api_pem_read(arena, bad[i], 9, &found, &err) || err.code != SG_E_INVALID ||
            !err.detail[0])
            fail_msg("taken: case %zu", i);
    }
}

static void test_root(void **state)
{
    (void)state;
    static const struct {
        struct shape shape;
        const char *why; /* NULL: it is one */
    } cases[] = {
        {{"critical,CA:TRUE", "critical,keyCertSign,cRLSign", 2048, -1, 10, false}, NULL},
        {{"critical,CA:TRUE", NULL, 2048, -1, 10, false}, NULL},
        {{"critical,CA:FALSE", "digitalSignature", 2048, -1, 10, false}, "is not a CA"},
        {{NULL, NULL, 2048, -1, 10, false}, "is not a CA"},
        {{"critical,CA:TRUE", "critical,cRLSign", 2048, -1, 10, false}, "may not sign|is not a CA"},
        {{"critical,CA:TRUE", "critical,keyCertSign", 1024, -1, 10, false}, "has a key of less"},
        {{"critical,CA:TRUE", "critical,keyCertSign", 2048, -20, -1, false}, "has expired"},
        {{"critical,CA:TRUE", "critical,keyCertSign", 2048, 5, 10, false}, "is not valid yet"},
        {{"critical,CA:TRUE", "critical,keyCertSign", 2048, -1, 10, true}, "is not self-signed"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        char pem[4096];
        struct api_certificates found;
        struct sg_error err = {0};
        certificate_make(&cases[i].shape, pem, sizeof pem);
        assert_true(api_pem_read(arena, pem, 1, &found, &err));
        bool ok = api_certificate_root(&found.items[0], sg_clock_now(), &err);
        const char *why = cases[i].why, *bar = why ? strchr(why, '|') : NULL;
        size_t n = bar ? (size_t)(bar - why) : why ? strlen(why) : 0;
        bool right = why ? !ok && (strncmp(err.detail, why, n) == 0 ||
                                   (bar && strncmp(err.detail, bar + 1, strlen(bar + 1)) == 0))
                         : ok;
        if (!right)
            fail_msg("case %zu: %s", i, ok ? "taken" : err.detail);
    }
}

/* A tenant's root that OpenSSL would take 100 MiB for, as soon as it is asked whether it is a CA.
 */
static void test_unbearable(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct api_certificates found;
    struct sg_error err = {0};
    long before = bomb_peak_kib();
    struct sg_bytes der = bomb_relative(30000, 1000);
    const char *pem = api_pem_write(arena, "CERTIFICATE", der);
    if (api_pem_read(arena, pem, 1, &found, &err))
        assert_false(api_certificate_root(&found.items[0], sg_clock_now(), &err));
    assert_true(bomb_peak_kib() - before < BOMB_GROWN_KIB);
    assert_string_equal(err.detail, "block 1 is not a certificate");
    free((void *)der.data);
}

static void test_text(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    assert_string_equal(api_hex(arena, sg_bytes_of("\x00\xff\x10", 3)), "00ff10");
    assert_string_equal(api_base64(arena, sg_bytes_of("\x00\xff\x10\x01", 4)), "AP8QAQ==");
    assert_string_equal(api_base64(arena, sg_bytes_of("", 0)), "");
    uint8_t bytes[48] = {0};
    assert_string_equal(api_pem_write(arena, "X", sg_bytes_of(bytes, 48)),
                        "-----BEGIN X-----\n"
                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                        "-----END X-----\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_root), cmocka_unit_test(test_unbearable),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
