/* aead.h: a piece made by another implementation, every octet altered, the wrong place. */
#include "spool/aead.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sg_bytes text(const char *s)
{
    return sg_bytes_str(s);
}

static struct sg_secret key_of(uint8_t first)
{
    struct sg_secret key = {.len = 32};
    for (size_t i = 0; i < 32; i++)
        key.data[i] = (uint8_t)(first + i);
    return key;
}

static void there_and_back(void **state)
{
    (void)state;
    struct sg_secret key = key_of(0);
    struct sg_error err;
    static const char *const plains[] = {"", "x", "a piece of a message"};
    for (size_t i = 0; i < 3; i++) {
        SG_AUTO_BUF sealed, out;
        sg_buf_init(&sealed, 0);
        sg_buf_init(&out, 0);
        sg_buf_adds(&sealed, "head");
        sg_buf_adds(&out, "kept");
        assert_true(sg_aead_seal(&key, text("rec 1"), text(plains[i]), &sealed, &err));
        assert_int_equal(sealed.len, 4 + strlen(plains[i]) + SG_AEAD_OVERHEAD);
        struct sg_bytes piece = sg_bytes_of(sealed.data + 4, sealed.len - 4);
        assert_true(sg_aead_open(&key, text("rec 1"), piece, &out, &err));
        assert_int_equal(out.len, 4 + strlen(plains[i]));
        assert_memory_equal(out.data, "kept", 4);
        assert_memory_equal(out.data + 4, plains[i], strlen(plains[i]));
    }
}

static void altered_or_elsewhere(void **state)
{
    (void)state;
    struct sg_secret key = key_of(0), other = key_of(1), brief = key_of(0);
    brief.len = 16;
    struct sg_error err;
    SG_AUTO_BUF sealed, out;
    sg_buf_init(&sealed, 0);
    sg_buf_init(&out, 0);
    assert_true(sg_aead_seal(&key, text("rec 1"), text("content"), &sealed, &err));
    sg_buf_adds(&out, "kept");
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 0x10;
        assert_false(sg_aead_open(&key, text("rec 1"), sg_buf_bytes(&sealed), &out, &err));
        assert_int_equal(err.code, SG_E_CRYPTO);
        assert_int_equal(out.len, 4);
        sealed.data[i] ^= 0x10;
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_false(sg_aead_open(&key, text("rec 1"), sg_bytes_of(sealed.data, len), &out, &err));
    assert_false(sg_aead_open(&key, text("rec 2"), sg_buf_bytes(&sealed), &out, &err));
    assert_false(sg_aead_open(&key, text(""), sg_buf_bytes(&sealed), &out, &err));
    assert_false(sg_aead_open(&other, text("rec 1"), sg_buf_bytes(&sealed), &out, &err));
    assert_false(sg_aead_open(&brief, text("rec 1"), sg_buf_bytes(&sealed), &out, &err));
    assert_false(sg_aead_seal(&brief, text("rec 1"), text("content"), &sealed, &err));
    assert_int_equal(out.len, 4);
    assert_true(sg_aead_open(&key, text("rec 1"), sg_buf_bytes(&sealed), &out, &err));
    assert_int_equal(out.len, 11);
}

static void buffer_limits(void **state)
{
    (void)state;
    struct sg_secret key = key_of(0);
    struct sg_error err;
    SG_AUTO_BUF small, sealed;
    sg_buf_init(&small, 7 + SG_AEAD_OVERHEAD - 1);
    sg_buf_init(&sealed, 7 + SG_AEAD_OVERHEAD);
    assert_false(sg_aead_seal(&key, text(""), text("content"), &small, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    assert_int_equal(small.len, 0);
    assert_true(sg_aead_seal(&key, text(""), text("content"), &sealed, &err));
    SG_AUTO_BUF out;
    sg_buf_init(&out, 6);
    assert_false(sg_aead_open(&key, text(""), sg_buf_bytes(&sealed), &out, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
}

/* Made with python3-cryptography: AESGCM(bytes(range(32))).encrypt(nonce, b"hello", b"rec 1")
 * with the nonce 000102030405060708090a0b in front. */
static void piece_of_another_implementation(void **state)
{
    (void)state;
    static const uint8_t piece[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                    0x09, 0x0a, 0x0b, 0x2f, 0x67, 0xba, 0x77, 0xaa, 0xc2,
                                    0x33, 0xeb, 0x94, 0xf3, 0x65, 0x31, 0x66, 0x50, 0xe5,
                                    0x5b, 0x10, 0x78, 0x1d, 0x60, 0x7c};
    struct sg_secret key = key_of(0);
    struct sg_error err;
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    assert_true(sg_aead_open(&key, text("rec 1"), sg_bytes_of(piece, sizeof piece), &out, &err));
    assert_true(sg_bytes_equal(sg_buf_bytes(&out), text("hello")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(altered_or_elsewhere),
        cmocka_unit_test(buffer_limits),
        cmocka_unit_test(piece_of_another_implementation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
