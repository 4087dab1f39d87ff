/* What an answer holds is read again, in every wrapping; limits hold. REQ-44 */
#include "request/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

static int count_of(struct sg_bytes message, const struct sg_request_limits *limits)
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
        arena, &block, sg_bytes_slice(message, at, message.len - at), limits);
    int count = sk_X509_num(found);
    sk_X509_pop_free(found, X509_free);
    return count;
}

static const struct sg_request_limits LIMITS = {
    .max_bytes = 1 << 20, .max_parts = 64, .max_depth = 8, .max_certificates = 32};

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
        cmocka_unit_test(targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
