/* Subject tags that claim a result. REQ-76 */
#include "pipeline/tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char tags[] = "[signed OK], [ver]";

static bool strip(const char *list, const char *value, size_t len, struct sg_buf *out)
{
    struct sg_header field = {.name = sg_bytes_str("subject"), .value = sg_bytes_of(value, len)};
    return sg_tags_strip(list, &field, out);
}

static void check(const char *value, const char *expected)
{
    SG_AUTO_BUF out = {0};
    bool stripped = strip(tags, value, strlen(value), &out);
    if (stripped != (expected != NULL))
        fail_msg("%s: %d", value, stripped);
    if (!expected) {
        assert_int_equal(out.len, 0);
        return;
    }
    assert_memory_equal(out.data, "subject: ", 9);
    assert_memory_equal(out.data + out.len - 2, "\r\n", 2);
    out.data[out.len - 2] = 0;
    assert_string_equal((char *)out.data + 9, expected);
}

static void tags_go(void **state)
{
    (void)state;
    check(" [signed OK] x", "x");
    check(" x [SIGNED\r\n\tok]", "x ");
    check("[si[ver]gned O[ver]K]x[ver]", "x");
    check(" =?x-none?q?=5Bver=5D?= y", "y");
    check(" =?utf-8?b?W3ZlcQ==?= ]", NULL); /* [veq */
    check(" =?utf-8?b?W3Zlcl0=?=", "");
    check(" =?utf-8?q?=5Bver=5D=0D=0AX:_y?=", "X: y");
    check(" =?utf-8?q?=5Bver=5D=C4=81?=", "=?utf-8?B?xIE=?=");
    check("[ver] =?utf-8?q?=3D?=?utf-8?q?x?=", "=?utf-8?B?PT91dGYtOD9xP3g/PQ==?=");
    check("[ver] \xe4", "\xe4"); /* neither UTF-8 nor labelled: as it is */
    check("[ver] =?\x81", "=?unknown-8bit?B?PT+B?=");
}

static void all_else_stays(void **state)
{
    (void)state;
    check("", NULL);
    check(" [signed]", NULL);
    check(" signed OK]", NULL);
    check(" [verify] [over]", NULL);
    check(" =?utf-8?q?=5Bver", NULL);
    check(" =?utf-8?x?=5Bver=5D?=", NULL);
    SG_AUTO_BUF out = {0};
    assert_false(strip("", "[ver]", 5, &out));
}

static void lines_are_folded(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    char text[2000] = "[ver]";
    for (size_t i = 0; i < 300; i++)
        strcat(text, " word");
    assert_true(strip(tags, text, strlen(text), &out));
    size_t line = 0;
    for (size_t i = 0; i < out.len; i++) {
        line = out.data[i] == '\n' ? 0 : line + 1;
        assert_true(line < 80);
    }
}

static void work_is_linear(void **state)
{
    (void)state;
    static char text[200000];
    static const char *const pieces[] = {"=?a?q?", "[ver", "[ver]", "d] ", "=?utf-8?b?", "?="};
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        SG_AUTO_BUF out = {0};
        size_t n = strlen(pieces[k]);
        for (size_t i = 0; i + n <= sizeof text; i += n)
            memcpy(text + i, pieces[k], n);
        (void)strip(tags, text, sizeof text, &out); /* ctest's timeout is the judge */
    }
}

static void lists_are_checked(void **state)
{
    (void)state;
    assert_true(sg_tags_valid(""));
    assert_true(sg_tags_valid("[a]"));
    assert_true(sg_tags_valid("[a b], [c] [d]"));
    assert_false(sg_tags_valid("a"));
    assert_false(sg_tags_valid("[]"));
    assert_false(sg_tags_valid("[a"));
    assert_false(sg_tags_valid("[a[b]]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_go),           cmocka_unit_test(all_else_stays),
        cmocka_unit_test(lines_are_folded),  cmocka_unit_test(work_is_linear),
        cmocka_unit_test(lists_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
