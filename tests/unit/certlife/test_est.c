/* Answers of an EST server: what is taken, and what is refused. RFC 7030, RFC 8951 */
#include "bombs.h"
#include "certlife/est.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static struct sg_buf load(const char *name)
{
    char path[512], block[4096];
    struct sg_buf buf;
    size_t n;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/fuzz_est/%s", SG_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    sg_buf_init(&buf, 0);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        sg_buf_add(&buf, block, n);
    fclose(f);
    return buf;
}

static int count(struct sg_bytes body)
{
    STACK_OF(X509) *list = NULL;
    struct sg_error err = {0};
    bool ok = sg_est_certificates(body, &list, &err);
    int n = ok ? sk_X509_num(list) : -1;
    assert_true(ok || (err.code == SG_E_MALFORMED && err.detail[0] && !list));
    sk_X509_pop_free(list, X509_free);
    return n;
}

static void test_answers(void **state)
{
    (void)state;
    struct sg_buf one = load("one"), two = load("two"), none = load("none");
    assert_int_equal(count(sg_buf_bytes(&one)), 1);
    assert_int_equal(count(sg_buf_bytes(&two)), 2);
    assert_int_equal(count(sg_buf_bytes(&none)), -1);
    /* Every beginning of it is refused, and what is more than it. */
    for (size_t i = 0; i + 4 < one.len; i += 7)
        assert_int_equal(count(sg_bytes_of(one.data, i)), -1);
    struct sg_buf more;
    sg_buf_init(&more, 0);
    sg_buf_add(&more, one.data, one.len);
    sg_buf_adds(&more, "AAAA");
    assert_int_equal(count(sg_buf_bytes(&more)), -1);
    sg_buf_free(&more);
    assert_int_equal(count(sg_bytes_str("")), -1);
    assert_int_equal(count(sg_bytes_str("====")), -1);
    assert_int_equal(count(sg_bytes_str("A=AA")), -1);
    assert_int_equal(count(sg_bytes_str("no base64!!!")), -1);
    assert_int_equal(count(sg_bytes_str("MAMCAQE=")), -1);
    sg_buf_free(&one);
    sg_buf_free(&two);
    sg_buf_free(&none);
}

static void test_too_much(void **state)
{
    (void)state;
    char *big = malloc(SG_EST_BYTES_MAX + 2);
    memset(big, 'A', SG_EST_BYTES_MAX + 1);
    big[SG_EST_BYTES_MAX + 1] = 0;
    assert_int_equal(count(sg_bytes_str(big)), -1);
    free(big);
}

static void test_retry_after(void **state)
{
    (void)state;
    assert_int_equal(sg_http_retry_after("120", 0), 120);
    assert_int_equal(sg_http_retry_after("120 \r\n", 0), 120);
    assert_int_equal(sg_http_retry_after("Thu, 01 Jan 1970 00:02:00 GMT\r\n", 20), 100);
    assert_int_equal(sg_http_retry_after("Thu, 01 Jan 1970 00:02:00 GMT", 500), 0);
    assert_int_equal(sg_http_retry_after("12x", 0), -1);
    assert_int_equal(sg_http_retry_after("soon", 0), -1);
}

static int count_of_relative(size_t points)
{
    static const uint8_t before[] = "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"
                                    "\x30\x80\x02\x01\x01\x31\x00"
                                    "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00"
                                    "\xa0\x80";
    static const uint8_t behind[] = "\x00\x00\x31\x00\x00\x00\x00\x00\x00";
    struct sg_bytes der = bomb_relative(100, points);
    struct sg_buf p7;
    sg_buf_init(&p7, 0);
    sg_buf_add(&p7, before, sizeof before - 1);
    sg_buf_add(&p7, der.data, der.len);
    sg_buf_add(&p7, behind, sizeof behind);
    char *text = malloc(p7.len * 2);
    EVP_EncodeBlock((unsigned char *)text, p7.data, (int)p7.len);
    int n = count(sg_bytes_str(text));
    free(text);
    free((void *)der.data);
    sg_buf_free(&p7);
    return n;
}

/* One that OpenSSL would copy its issuer's name for, as often as it likes. */
static void test_unbearable(void **state)
{
    (void)state;
    assert_int_equal(count_of_relative(2), 1);
    assert_int_equal(count_of_relative(3), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_unbearable),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
