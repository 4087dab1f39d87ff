/* Charsets: gatewayd/trigger/charset.c. REQ-33 */
#include "trigger/charset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/buf.h"

static void collect(void *ctx, const uint8_t *utf8, size_t len)
{
    sg_buf_add(ctx, utf8, len);
}

static void converted(const char *name, const void *in, size_t len, size_t piece,
                      struct sg_buf *out)
{
    struct sg_charset c;
    if (!sg_charset_open(&c, name)) {
        fail_msg("iconv has no %s", name);
        return;
    }
    for (size_t i = 0; i < len; i += piece)
        sg_charset_push(&c, (const uint8_t *)in + i, len - i < piece ? len - i : piece, collect,
                        out);
    sg_charset_close(&c);
}

/* What each label is read as; NULL is the octets as they are. */
static void test_readings(void **state)
{
    (void)state;
    static const struct {
        const char *label, *names[3];
        bool unknown;
    } cases[] = {
        {NULL, {NULL}, false},
        {"", {NULL}, false},
        {"UTF-8", {NULL}, false},
        {"ISO-8859-15", {NULL}, false},
        {" \"Windows-1252\" ", {NULL}, false},
        {"utf-7", {NULL, "UTF-7"}, false},
        {"UTF-7@", {NULL, "UTF-7"}, false},
        {"(utf)-16+", {NULL, "UTF-16BE", "UTF-16LE"}, false},
        {"UNICODE-1-1-UTF-7", {NULL, "UTF-7"}, false},
        {"utf-16", {NULL, "UTF-16BE", "UTF-16LE"}, false},
        {"UTF-16LE", {NULL, "UTF-16BE", "UTF-16LE"}, false},
        {"utf-32", {NULL, "UTF-32BE", "UTF-32LE"}, false},
        {"Shift_JIS", {NULL, "CP932"}, false},
        {"ibm037//IGNORE", {NULL, "ibm037ignore"}, false},
        {"x-none", {NULL, "x-none"}, false},
        {"WCHAR_T", {NULL}, true},
        {"INTERNAL", {NULL}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sg_charset_readings r;
        sg_charset_readings(cases[i].label, &r);
        size_t count = 1;
        while (count < 3 && cases[i].names[count])
            count++;
        assert_int_equal(r.count, count);
        assert_null(r.names[0]);
        for (size_t k = 1; k < count; k++)
            assert_string_equal(r.names[k], cases[i].names[k]);
        assert_int_equal(r.unknown, cases[i].unknown);
    }
}

static void test_conversion(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in;
        size_t len;
        const char *out;
    } cases[] = {
        {NULL, "a\xff[", 3, "a\xff["},
        {"UTF-7", "+AFs-a+AF0-", 11, "[a]"},
        {"UTF-7", "+AFsAYQBd", 9, "[a]"},
        {"UTF-7", "1 +- 2+", 7, "1 + 2"},
        {"UTF-7", "+AFt.a", 6, "[.a"}, /* bits left over: strict decoders refuse it */
        {"UTF-7", "+2D3eAA-", 8, "\xf0\x9f\x98\x80"},
        {"UTF-16BE", "\0[\xd8=\xde\0\0]", 8, "[\xf0\x9f\x98\x80]"},
        {"UTF-16LE", "[\0=\xd8]\0", 6, "[]"}, /* half a pair is nothing */
        {"UTF-32LE", "[\0\0\0\xff\xff\xff\xff]\0\0\0", 12, "[]"},
        {"CP932", "\x83[[", 3, "\xe3\x82\xbc["}, /* '[' is half a character, then itself */
        {"IBM037", "\xba\xe2\xbb", 3, "[S]"},
        {"ISO-2022-JP-3", "[\x1b$B#S\x1b(B]", 10, "[\xef\xbc\xb3]"},
        {"EUC-JP", "[\xff\xa3\xd3]", 5, "[\xef\xbc\xb3]"}, /* what is nothing is passed over */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece < 9; piece++) {
            SG_AUTO_BUF out;
            sg_buf_init(&out, 0);
            converted(cases[i].name, cases[i].in, cases[i].len, piece, &out);
            if (!sg_bytes_equal(sg_buf_bytes(&out), sg_bytes_str(cases[i].out)))
                fail_msg("%zu (%s) in pieces of %zu: %s", i, cases[i].name, piece,
                         out.len ? (const char *)out.data : "");
        }
}

/* Octets at random, shifts and escapes among them, in charsets of every make: each conversion comes
 * to an end, and gives the same in pieces. */
static void test_garbage(void **state)
{
    (void)state;
    static const char *const names[] = {
        "UTF-7",         "UTF-16BE",        "UTF-32LE",   "CP932",        "EUC-JP",
        "ISO-2022-JP-3", "CP949",           "UHC",        "JOHAB",        "ISO-2022-KR",
        "ISO-2022-CN",   "ISO-2022-CN-EXT", "GB18030",    "BIG5-HKSCS",   "EUC-TW",
        "CP1255",        "CP1258",          "TCVN5712-1", "EUC-JISX0213", "SHIFT_JISX0213",
        "IBM1390",       "IBM1399",         "IBM1364",    "IBM1371",      "IBM930",
        "IBM939",        "IBM037",          "T.61-8BIT",  "ISO_6937",     "TSCII"};
    static const char *const escapes[] = {"\x1b$)A", "\x1b$)G", "\x1b$*H", "\x1b$B", "\x1b(B",
                                          "\x1b$)C", "\x1b$+I", "\x0e",    "\x0f",   "+AFs"};
    srandom(4711);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int round = 0; round < 60; round++) {
            uint8_t in[2000];
            size_t n = 0;
            long mask = round % 3 == 0 ? 0xff : round % 3 == 1 ? 0x7f : 0xdf;
            while (n < sizeof in - 8) {
                const char *escape = escapes[random() % 10];
                if (random() % 8 == 0)
                    for (; *escape; escape++)
                        in[n++] = (uint8_t)*escape;
                in[n++] = (uint8_t)(random() & mask);
            }
            SG_AUTO_BUF whole, pieces;
            sg_buf_init(&whole, 0);
            sg_buf_init(&pieces, 0);
            converted(names[i], in, n, n, &whole);
            converted(names[i], in, n, 1 + (size_t)random() % 64, &pieces);
            if (!sg_bytes_equal(sg_buf_bytes(&whole), sg_buf_bytes(&pieces)))
                fail_msg("%s: other text in pieces", names[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
