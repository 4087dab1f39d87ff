/* Header fields as people read them (RFC 2047). REQ-77 */
#include "common/buf.h"
#include "mime/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <time.h>

#include "common/buf.h"

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *written, *read;
    } cases[] = {
        {"", ""},
        {"lunch", "lunch"},
        {"=?utf-8?Q?K=C4=81inga_now?=", "K\xc4\x81inga now"},
        {"=?UTF-8?B?S8SBaW5nYQ==?=", "K\xc4\x81inga"},
        {"Re: =?iso-8859-1?q?caf=E9?= at two", "Re: caf\xc3\xa9 at two"},
        {"=?iso-8859-1*en?q?caf=E9?=", "caf\xc3\xa9"},
        {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
        {"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
        {"=?utf-8?q?a?=  =?iso-8859-1?q?=E9?=", "a\xc3\xa9"},
        {"=?utf-8?B?S8Q=?= =?utf-8?B?gWluZ2E=?=", "K\xc4\x81inga"}, /* a character in two words */
        {"=?utf-8?q?=FF?=", "\xef\xbf\xbd"},
        {"=?utf-8?q?=C4?=", "\xef\xbf\xbd"},
        {"=?no-such-charset?q?a=E9?=", "a\xef\xbf\xbd"},
        {"=?utf-8?q?a b?=", "=?utf-8?q?a b?="}, /* no word: it has a space */
        {"=?utf-8?x?ab?=", "=?utf-8?x?ab?="},
        {"=?utf-8?q?ab", "=?utf-8?q?ab"},
        {"=?=?utf-8?q?ab?=", "=?ab"},
        {"=??q?ab?=", "=??q?ab?="},
        {"=?", "=?"},
        {"a =? b", "a =? b"},
        {"=?utf-8?q?a=00b?=", "a b"},
        {"=?utf-16?b?/v8AYQ==?=", "a"},
        {"=?iso-2022-cn-ext?b?Dg==?=", "\xef\xbf\xbd"}, /* a shift to a set that was not named */
        {"a=?ISO-2022-CN-EXT?Q?=0E?= b", "a\xef\xbf\xbd b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        assert_string_equal(sg_header_decode(arena, cases[i].written), cases[i].read);
    }
}

#define OCTETS 600 /* of a word; in base64 less than a word may have */

static void base64_add(struct sg_buf *out, const uint8_t *in, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                        (i + 2 < len ? in[i + 2] : 0);
        sg_buf_addf(out, "%c%c%c%c", digits[bits >> 18], digits[bits >> 12 & 63],
                    i + 1 < len ? digits[bits >> 6 & 63] : '=',
                    i + 2 < len ? digits[bits & 63] : '=');
    }
}

static void decode_word(const char *charset, const uint8_t *octets, size_t len)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF word = {0};
    sg_buf_addf(&word, "=?%s?b?", charset);
    base64_add(&word, octets, len);
    sg_buf_adds(&word, "?=");
    const char *text = sg_header_decode(arena, sg_arena_str(arena, sg_buf_bytes(&word)));
    if (strlen(text) > 8 * word.len)
        fail_msg("%s: %zu octets of a word of %zu", charset, strlen(text), word.len);
}

/* Octets at random, with shifts and escapes among them, and shifts and escapes alone. */
static void garbage(const char *charset)
{
    static const char *const escapes[] = {"\x1b$)A", "\x1b$)G", "\x1b$*H", "\x1b$B",
                                          "\x1b(B",  "\x1bN",   "\x1b$)C", "\x1b$+I",
                                          "\x0e",    "\x0f",    "+AFs",    "\x1bO"};
    const size_t count = sizeof escapes / sizeof *escapes;
    for (size_t i = 0; i < count; i++)
        decode_word(charset, (const uint8_t *)escapes[i], strlen(escapes[i]));
    for (int round = 0; round < 12; round++) {
        uint8_t in[OCTETS + 8];
        size_t n = 0, most = 1 + (size_t)random() % OCTETS;
        long mask = round % 3 == 0 ? 0xff : round % 3 == 1 ? 0x7f : 0xdf;
        while (n < most) {
            if (random() % 8 == 0)
                for (const char *e = escapes[(size_t)random() % count]; *e; e++)
                    in[n++] = (uint8_t)*e;
            in[n++] = (uint8_t)(random() & mask);
        }
        decode_word(charset, in, n);
    }
}

/* A stranger names the charset: whichever of them all, the conversion comes to an end. */
static void every_charset(void **state)
{
    (void)state;
    FILE *list = popen("iconv -l", "r");
    char line[200];
    size_t count = 0;
    assert_non_null(list);
    srandom(4711);
    for (; fgets(line, sizeof line, list); count++) {
        line[strcspn(line, "/\n")] = 0;
        garbage(line);
    }
    assert_int_equal(pclose(list), 0);
    assert_true(count > 1000);
}

#ifdef SG_SANITIZED
#define LIMIT (2 * CLOCKS_PER_SEC)
#else
#define LIMIT (CLOCKS_PER_SEC / 4)
#endif

/* To load a converter takes longer than to use it, and each of these words is of another charset
 * than the one before. */
static void charsets_in_turns(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF written = {0}, read = {0};
    static const char *const charsets[] = {"iso-2022-cn-ext", "euc-jisx0213", "euc-tw", "gb18030"};
    for (int i = 0; i < 10000; i++) {
        sg_buf_addf(&written, "=?%s?q?a?= ", charsets[i % 4]);
        sg_buf_adds(&read, "a");
    }
    sg_buf_adds(&read, " ");
    clock_t started = clock();
    assert_string_equal(sg_header_decode(arena, (const char *)written.data),
                        (const char *)read.data);
    assert_true(clock() - started < LIMIT);
}

/* What one run leaves behind is nothing to the next of the same charset; the ninth is unknown. */
static void charsets_of_one_field(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    assert_string_equal(
        sg_header_decode(arena, "=?utf-16?b?/v8AYQ==?= x =?utf-16?b?//5iAA==?= =?utf-8?q?=C4?= x "
                                "=?utf-8?q?b?= =?iso-2022-jp?b?GyRCJCI=?= x =?iso-2022-jp?q?a?="),
        "a x b\xef\xbf\xbd x b\xe3\x81\x82 x a");
    assert_string_equal(
        sg_header_decode(arena, "=?iso-8859-1?q?=E9?= =?iso-8859-2?q?=E9?= =?iso-8859-3?q?=E9?= "
                                "=?iso-8859-4?q?=E9?= =?iso-8859-9?q?=E9?= =?iso-8859-14?q?=E9?= "
                                "=?iso-8859-15?q?=E9?= =?iso-8859-16?q?=E9?= =?cp1252?q?=E9?= "
                                "=?ISO-8859-1?q?=E9?="),
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xef\xbf\xbd\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(every_charset),
        cmocka_unit_test(charsets_in_turns),
        cmocka_unit_test(charsets_of_one_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
