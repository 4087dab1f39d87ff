/* crl.h: what a list and a certificate may cost that name many places. REQ-49 */
#include "cert/crl.h"

#include "bombs.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static EVP_PKEY *key;
static X509 *issuer;

static int setup(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    issuer = X509_new();
    X509_set_version(issuer, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(issuer), 1);
    X509_gmtime_adj(X509_getm_notBefore(issuer), 0);
    X509_gmtime_adj(X509_getm_notAfter(issuer), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(issuer), "CN", MBSTRING_ASC,
                               (const unsigned char *)"own root", -1, -1, 0);
    X509_set_issuer_name(issuer, X509_get_subject_name(issuer));
    X509_set_pubkey(issuer, key);
    return X509_sign(issuer, key, EVP_sha256()) > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    X509_free(issuer);
    EVP_PKEY_free(key);
    return 0;
}

/* So many URIs of so many octets; the last one is another. */
static GENERAL_NAMES *names_new(int count, int octets, const char *last)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (int i = 0; i < count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *uri = ASN1_IA5STRING_new();
        char text[60000];
        snprintf(text, sizeof text, "%0*d", octets, 0);
        ASN1_STRING_set(uri, i + 1 < count ? text : last, -1);
        GENERAL_NAME_set0_value(name, GEN_URI, uri);
        sk_GENERAL_NAME_push(names, name);
    }
    return names;
}

static DIST_POINT_NAME *place_new(int count, int octets, const char *last)
{
    DIST_POINT_NAME *place = DIST_POINT_NAME_new();
    place->type = 0;
    place->name.fullname = names_new(count, octets, last);
    return place;
}

/* A list of the issuer's whose scope has so many names. */
static struct sg_crl *list_read(int count, int octets)
{
    char why[SG_CERT_WHY];
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, 1800000000), *then = ASN1_TIME_set(NULL, 1900000000);
    ISSUING_DIST_POINT *scope = ISSUING_DIST_POINT_new();
    scope->distpoint = place_new(count, octets, "http://a.test/");
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer));
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, then);
    X509_CRL_add1_ext_i2d(list, NID_issuing_distribution_point, scope, 1, 0);
    assert_true(X509_CRL_sign(list, key, EVP_sha256()) > 0);
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(list, &der);
    ISSUING_DIST_POINT_free(scope);
    ASN1_TIME_free(now);
    ASN1_TIME_free(then);
    X509_CRL_free(list);
    struct sg_crl *crl = sg_crl_read(sg_bytes_of(der, (size_t)len), issuer, why);
    OPENSSL_free(der);
    return crl;
}

static bool is_taken(int count, int octets)
{
    struct sg_crl *crl = list_read(count, octets);
    bool taken = crl != NULL;
    sg_crl_free(&crl);
    return taken;
}

static void a_place_or_two(void **state)
{
    (void)state;
    assert_true(is_taken(1, 20));
    assert_true(is_taken(16, 20));
    assert_false(is_taken(17, 20));
    assert_true(is_taken(2, 59000));
    assert_true(is_taken(9, 8000));
    assert_false(is_taken(10, 8000)); /* more than 64 KiB */
}

/* The cache's limit is of what it holds. */
static void a_scope_counts_as_memory(void **state)
{
    (void)state;
    struct sg_crl *small = list_read(2, 20), *large = list_read(2, 50020);
    assert_true(sg_crl_bytes(large) >= sg_crl_bytes(small) + 50000);
    sg_crl_free(&small);
    sg_crl_free(&large);
}

static bool is_covered(const struct sg_crl *crl, int names)
{
    char why[SG_CERT_WHY];
    DIST_POINT *point = DIST_POINT_new();
    point->distpoint = place_new(names, 20, "http://a.test/");
    bool covered = sg_crl_covers(crl, issuer, point, why);
    DIST_POINT_free(point);
    return covered;
}

static void a_certificate_names_a_place_or_two(void **state)
{
    (void)state;
    struct sg_crl *crl = list_read(16, 30);
    assert_true(is_covered(crl, 1));
    assert_true(is_covered(crl, 16));
    assert_false(is_covered(crl, 17));
    sg_crl_free(&crl);
}

static void put(struct sg_buf *out, size_t start, uint8_t tag)
{
    size_t n = out->len - start;
    uint8_t head[] = {tag,       0x84, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                      (uint8_t)n};
    SG_AUTO_BUF content = {0};
    sg_buf_add(&content, out->data + start, n);
    out->len = start;
    sg_buf_add(out, head, sizeof head);
    sg_buf_add(out, content.data, content.len);
}

/* Before anybody's signature is looked at: a million empty names, 50 octets of memory each. */
static void nothing_is_decoded_that_is_too_long(void **state)
{
    (void)state;
    char why[SG_CERT_WHY];
    long before = bomb_peak_kib();
    for (int issuer_too = 0; issuer_too < 2; issuer_too++) {
        SG_AUTO_BUF list = {0};
        static const char algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
        sg_buf_add(&list, algorithm, sizeof algorithm - 1);
        size_t name = list.len;
        for (int i = 0; i < (issuer_too ? 500000 : 0); i++)
            sg_buf_add(&list, "\x31\x00", 2);
        put(&list, name, 0x30);
        sg_buf_adds(&list, "\x17\x0d"
                           "260101000000Z"
                           "\x17\x0d"
                           "490101000000Z");
        size_t extensions = list.len;
        sg_buf_add(&list, "\x06\x03\x55\x1d\x1c", 5);
        size_t value = list.len;
        for (int i = 0; i < 500000; i++)
            sg_buf_add(&list, "\x82\x00", 2);
        put(&list, value, 0xa0);
        put(&list, value, 0xa0);
        put(&list, value, 0x30);
        put(&list, value, 0x04);
        put(&list, extensions, 0x30);
        put(&list, extensions, 0x30);
        put(&list, extensions, 0xa0);
        put(&list, 0, 0x30);
        sg_buf_add(&list, algorithm, sizeof algorithm - 1);
        sg_buf_add(&list, "\x03\x02\x00\x01", 4);
        put(&list, 0, 0x30);
        assert_null(sg_crl_read(sg_buf_bytes(&list), issuer_too ? issuer : NULL, why));
    }
    assert_true(bomb_peak_kib() - before < BOMB_GROWN_KIB);
}

static const char encrypted[] = "-----BEGIN X509 CRL-----\n"
                                "Proc-Type: 4,ENCRYPTED\n"
                                "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                                "MAA=\n"
                                "-----END X509 CRL-----\n";

/* In a process without a terminal, whose standard input has a line: is it still there? */
static bool nobody_is_asked(void)
{
    int in[2], left = 0;
    assert_int_equal(pipe(in), 0);
    pid_t pid = fork();
    if (pid == 0) {
        SG_AUTO_BUF list = {0};
        setsid();
        dup2(in[0], STDIN_FILENO);
        sg_buf_adds(&list, encrypted);
        sg_crl_unwrap(&list);
        _exit(0);
    }
    assert_int_equal(write(in[1], "password\n", 9), 9);
    close(in[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(ioctl(in[0], FIONREAD, &left), 0);
    close(in[0]);
    return left == 9;
}

static void a_list_that_is_encrypted_is_none(void **state)
{
    (void)state;
    SG_AUTO_BUF list = {0};
    assert_true(nobody_is_asked());
    sg_buf_adds(&list, encrypted);
    sg_crl_unwrap(&list);
    assert_string_equal((const char *)list.data, encrypted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_decoded_that_is_too_long),
        cmocka_unit_test(a_list_that_is_encrypted_is_none),
        cmocka_unit_test(a_place_or_two),
        cmocka_unit_test(a_scope_counts_as_memory),
        cmocka_unit_test(a_certificate_names_a_place_or_two),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
