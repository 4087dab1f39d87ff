/* Base64 as a stream: gatewayd/smime/base64.c, held against OpenSSL's. */
#include "common/buf.h"
#include "smime/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static bool buf_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

static void encode(const uint8_t *data, size_t len, size_t piece, struct sg_buf *out)
{
    struct sg_base64_encoder *e = malloc(sizeof *e);
    const struct sg_sink sink = {buf_write, out};
    struct sg_error err;
    sg_base64_encode_begin(e, &sink);
    for (size_t at = 0; at < len; at += piece)
        assert_true(
            sg_base64_encode_write(e, data + at, len - at < piece ? len - at : piece, &err));
    assert_true(sg_base64_encode_end(e, &err));
    assert_int_equal(out->len, sg_base64_text_size(len));
    free(e);
}

static size_t decode(const char *text, size_t len, size_t piece, uint8_t *out, bool *bad_r)
{
    struct sg_base64_decoder d = {0};
    uint8_t raw[8 + 4096];
    size_t n = 0;
    for (size_t at = 0; at < len; at += piece) {
        size_t k = len - at < piece ? len - at : piece;
        memcpy(raw + 8, text + at, k); /* in place, as the source does it */
        size_t got = sg_base64_decode(&d, raw + 8, k, raw);
        memcpy(out + n, raw, got);
        n += got;
    }
    n += sg_base64_decode_end(&d, out + n);
    *bad_r = d.bad;
    return n;
}

static void test_round(void **state)
{
    (void)state;
    uint8_t data[5000], back[5000];
    srand(1);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)rand();
    for (size_t len = 0; len < 300; len++)
        for (size_t piece = 1; piece < 130; piece += 17) {
            SG_AUTO_BUF text;
            sg_buf_init(&text, 0);
            encode(data, len, piece, &text);
            bool bad;
            assert_int_equal(decode((char *)text.data, text.len, piece, back, &bad), len);
            assert_false(bad);
            assert_memory_equal(back, data, len);
        }
    SG_AUTO_BUF text;
    sg_buf_init(&text, 0);
    encode(data, sizeof data, 4096, &text);
    unsigned char expected[8000];
    EVP_EncodeBlock(expected, data, 57);
    assert_memory_equal(text.data, expected, 76);
    for (size_t i = 0; i < text.len; i += 78)
        if (i + 78 <= text.len)
            assert_memory_equal(text.data + i + 76, "\r\n", 2);
}

static void check(const char *text, const char *expected, bool bad_expected)
{
    uint8_t out[64];
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        bool bad;
        size_t n = decode(text, strlen(text), piece, out, &bad);
        assert_int_equal(n, strlen(expected));
        assert_memory_equal(out, expected, n);
        assert_int_equal(bad, bad_expected);
    }
}

static void test_shapes(void **state)
{
    (void)state;
    check("aGVsbG8=", "hello", false);
    check("aG Vs\r\n\tbG 8=\r\n", "hello", false);
    check("aGVsbG8", "hello", false);
    check("aGVsbA", "hell", false);
    check("aGVsbA==", "hell", false);
    check("aGVsbG8=footer of a list", "hello", false); /* what is behind padding is not ours */
    check("aGVs*bG8=", "hel", true);
    check("aGVsb", "hel", true);
    check("aGVs\x80", "hel", true);
    check("=", "", false);
}

/* Each octet that is not of the alphabet, at each place of a text that is taken in blocks: what
 * stands before it comes out, and nothing behind it. */
static void test_foreign_octets_in_blocks(void **state)
{
    (void)state;
    char text[160];
    uint8_t whole[200], out[200];
    bool bad;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)"AZaz09+/QWERTYqwerty"[i % 20];
    assert_int_equal(decode(text, sizeof text, sizeof text, whole, &bad), 120);
    assert_int_equal(EVP_DecodeBlock(out, (const uint8_t *)text, sizeof text), 120);
    assert_memory_equal(out, whole, 120);
    for (int c = 0; c < 256; c++) {
        bool taken = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                                 " \t\r\n=",
                                 c);
        for (size_t at = 0; !taken && at < sizeof text; at++) {
            char kept = text[at];
            text[at] = (char)c;
            size_t n = decode(text, sizeof text, sizeof text, out, &bad);
            assert_true(bad);
            assert_true(n >= at / 4 * 3 && n <= at / 4 * 3 + 2);
            assert_memory_equal(out, whole, at / 4 * 3);
            text[at] = kept;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_foreign_octets_in_blocks),
                                       cmocka_unit_test(test_round), cmocka_unit_test(test_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
