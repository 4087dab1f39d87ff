/* What an answer holds is read again, in every wrapping; limits hold. REQ-44 */
#include "bombs.h"
#include "request/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/pem.h>

static X509 *made(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    assert_true(key && x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), name[0]);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return x;
}

static int count_within(struct sg_bytes message, const struct sg_request_limits *limits,
                        struct sg_budget *budget)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_spool_limits most = {1 << 20, 1 << 20, "/tmp"};
    struct sg_header_limits headers = {65536, 100};
    SG_AUTO_SPOOL spool = sg_spool_new(&most);
    struct sg_header_block block;
    assert_true(sg_spool_write(spool, message.data, message.len, NULL));
    assert_true(sg_header_read(arena, spool, 0, message.len, &headers, &block, NULL));
    size_t at = (size_t)block.body_offset;
    STACK_OF(X509) *found = sg_request_certificates(
        arena, &block, sg_bytes_slice(message, at, message.len - at), limits, budget);
    int count = sk_X509_num(found);
    sk_X509_pop_free(found, X509_free);
    return count;
}

static int count_of(struct sg_bytes message, const struct sg_request_limits *limits)
{
    return count_within(message, limits, NULL);
}

static const struct sg_request_limits LIMITS = {.max_bytes = 1 << 20,
                                                .max_parts = 64,
                                                .max_depth = 8,
                                                .max_certificates = 32,
                                                .headers = {65536, 100}};

static size_t body_size(struct sg_bytes message)
{
    const uint8_t *empty = memmem(message.data, message.len, "\r\n\r\n", 4);
    assert_non_null(empty);
    return message.len - (size_t)(empty + 4 - message.data);
}

static void own_answer_is_read(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    X509 *leaf = made("leaf"), *ca = made("ca");
    STACK_OF(X509) *chain = sk_X509_new_null();
    sk_X509_push(chain, ca);
    struct sg_request_mail mail = {.id = "crq_1",
                                   .hostname = "gw.test",
                                   .from_domain = "a.test",
                                   .to = "domain-certificate-answer@b.test",
                                   .in_reply_to = "x@b.test"};
    assert_true(sg_request_answer_write(&mail, leaf, chain, &out, NULL));
    struct sg_request_limits few = LIMITS;
    assert_int_equal(count_of(sg_buf_bytes(&out), &LIMITS), 3); /* .p7c with two, .cer */
    few.max_certificates = 2;
    assert_int_equal(count_of(sg_buf_bytes(&out), &few), 2);
    few = LIMITS;
    few.max_depth = 0;
    assert_int_equal(count_of(sg_buf_bytes(&out), &few), 0);
    few = LIMITS;
    few.max_parts = 2; /* the whole, and the text */
    assert_int_equal(count_of(sg_buf_bytes(&out), &few), 0);
    few.max_parts = 3; /* … and the .p7c */
    assert_int_equal(count_of(sg_buf_bytes(&out), &few), 2);
    few.max_depth = 1;
    assert_int_equal(count_of(sg_buf_bytes(&out), &few), 2);
    few = LIMITS;
    few.max_bytes = body_size(sg_buf_bytes(&out));
    assert_int_equal(count_of(sg_buf_bytes(&out), &few), 3);
    few.max_bytes /= 4; /* in the middle of the .p7c */
    assert_int_equal(count_of(sg_buf_bytes(&out), &few), 0);
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
}

static void whole_body_may_be_one(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    X509 *leaf = made("leaf");
    BIO *pem = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_true(PEM_write_bio_X509(pem, leaf));
    long len = BIO_get_mem_data(pem, &text);
    sg_buf_adds(&out, "Content-Type: application/octet-stream; name=a.CRT\r\n\r\n");
    sg_buf_add(&out, text, (size_t)len);
    sg_buf_add(&out, text, (size_t)len);
    assert_int_equal(count_of(sg_buf_bytes(&out), &LIMITS), 2);
    sg_buf_clear(&out);
    sg_buf_adds(&out, "Content-Type: text/plain\r\n\r\n");
    sg_buf_add(&out, text, (size_t)len);
    assert_int_equal(count_of(sg_buf_bytes(&out), &LIMITS), 0);
    BIO_free(pem);
    X509_free(leaf);
}

/* How many are found in this PKCS#7 of these certificates, with lengths that end somewhere. */
static int found_in_p7c(const struct sg_bytes *ders, size_t count)
{
    SG_AUTO_BUF mail = {0};
    sg_buf_adds(&mail, "Content-Type: application/pkcs7-mime; name=a.p7c\r\n\r\n");
    sg_buf_add(&mail,
               "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"
               "\x30\x80\x02\x01\x01\x31\x00"
               "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00"
               "\xa0\x80",
               39);
    for (size_t i = 0; i < count; i++)
        sg_buf_add(&mail, ders[i].data, ders[i].len);
    sg_buf_add(&mail, "\x00\x00\x31\x00\x00\x00\x00\x00\x00\x00", 10);
    return count_of(sg_buf_bytes(&mail), &LIMITS);
}

static int found_alone(struct sg_bytes der)
{
    SG_AUTO_BUF mail = {0};
    sg_buf_adds(&mail, "Content-Type: application/pkix-cert; name=a.cer\r\n\r\n");
    sg_buf_add(&mail, der.data, der.len);
    return count_of(sg_buf_bytes(&mail), &LIMITS);
}

/* What is larger than any authority makes it, and what OpenSSL would take gigabytes for. */
static void what_nobody_made_is_passed_over(void **state)
{
    (void)state;
    struct sg_bytes ders[] = {bomb_relative(10, 0), bomb_relative(70000, 0),
                              bomb_relative(40000, 500), bomb_relative(60000, 2)};
    long before = bomb_peak_kib();
    assert_int_equal(found_in_p7c(ders, 4), 2);
    assert_int_equal(found_in_p7c(ders, 1), 1);
    assert_int_equal(found_in_p7c(ders, 0), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(found_alone(ders[i]), i == 0 || i == 3);
        free((void *)ders[i].data);
    }
    assert_true(bomb_peak_kib() - before < BOMB_GROWN_KIB);
}

/* How many are found in a part with so many fields, of so many octets each, and its type. */
static int found_behind(int fields, int octets)
{
    SG_AUTO_BUF mail = {0};
    struct sg_bytes der = bomb_relative(10, 0);
    unsigned char text[1000];
    EVP_EncodeBlock(text, der.data, (int)der.len);
    free((void *)der.data);
    sg_buf_adds(&mail, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n");
    for (int i = 0; i < fields; i++)
        sg_buf_addf(&mail, "Content-Type:%*s\r\n", octets - 15, "");
    sg_buf_adds(&mail, "Content-Disposition: attachment;\r\n filename=a.cer\r\n"
                       "Content-Transfer-Encoding: base64\r\n\r\n");
    sg_buf_adds(&mail, (const char *)text);
    sg_buf_adds(&mail, "\r\n--b--\r\n");
    return count_of(sg_buf_bytes(&mail), &LIMITS);
}

/* Each field is looked for among all: a megabyte of them took ten seconds. */
/* Not one more is decoded than there is time for, however many could be. */
static void time_is_limited(void **state)
{
    SG_AUTO_BUF out = {0};
    struct sg_budget none = {0}, enough;
    X509 *leaf = made("leaf");
    STACK_OF(X509) *chain = sk_X509_new_null();
    (void)state;
    struct sg_request_mail mail = {.id = "crq_1",
                                   .hostname = "gw.test",
                                   .from_domain = "a.test",
                                   .to = "domain-certificate-answer@b.test",
                                   .in_reply_to = "x@b.test"};
    assert_true(sg_request_answer_write(&mail, leaf, chain, &out, NULL));
    sg_budget_begin(&enough, 60000);
    assert_int_equal(count_within(sg_buf_bytes(&out), &LIMITS, &enough), 2); /* .p7c, .cer */
    sg_budget_begin(&none, 0);
    assert_int_equal(count_within(sg_buf_bytes(&out), &LIMITS, &none), 0);
    sk_X509_free(chain);
    X509_free(leaf);
}

static void headers_of_parts_are_limited(void **state)
{
    (void)state;
    clock_t started = clock();
    assert_int_equal(found_behind(65000, 15), 0);
    assert_true(clock() - started < CLOCKS_PER_SEC);
    assert_int_equal(found_behind(98, 15), 1);
    assert_int_equal(found_behind(99, 15), 0);
    assert_int_equal(found_behind(1, 65000), 1);
    assert_int_equal(found_behind(1, 65536), 0);
}

static void targets(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    assert_string_equal(sg_request_target(arena, "  <DCA@A.test> "), "dca@a.test");
    assert_string_equal(sg_request_target(arena, "please"), "");
    assert_string_equal(sg_request_target(arena, ""), "");
    assert_string_equal(sg_request_target(arena, "<>"), "");
    assert_true(sg_request_is_asked("domain-certificate-request@a.test"));
    assert_false(sg_request_is_asked("domain-certificate-request"));
    assert_false(sg_request_is_asked("domain-certificate-requests@a.test"));
    assert_true(sg_request_is_answered("Domain-Certificate-Answer@a.test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_answer_is_read),
        cmocka_unit_test(whole_body_may_be_one),
        cmocka_unit_test(what_nobody_made_is_passed_over),
        cmocka_unit_test(time_is_limited),
        cmocka_unit_test(headers_of_parts_are_limited),
        cmocka_unit_test(targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
