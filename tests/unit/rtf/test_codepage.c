/* Code pages: their names, and characters of one to four bytes. */
#include "rtf/codepage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int decode(struct sg_codepages *set, unsigned codepage, const char *bytes, size_t len,
                  uint32_t *c_r)
{
    struct sg_codepage *cp = sg_codepages_get(set, codepage);
    assert_non_null(cp);
    return sg_codepage_decode(cp, (const uint8_t *)bytes, len, c_r);
}

static void code_pages_have_the_names_of_iconv(void **state)
{
    (void)state;
    assert_string_equal(sg_codepage_charset(1252), "CP1252");
    assert_string_equal(sg_codepage_charset(65001), "UTF-8");
    assert_string_equal(sg_codepage_charset(437), "CP437");
    assert_string_equal(sg_codepage_charset(50220), "ISO-2022-JP");
    assert_null(sg_codepage_charset(4711));
    assert_null(sg_codepage_charset(0));
    assert_null(sg_codepage_charset(99999));
}

static void each_code_page_that_is_named_can_be_decoded(void **state)
{
    (void)state;
    struct sg_codepages *set = sg_codepages_new();
    for (unsigned i = 0; i < 70000; i++) {
        const char *name = sg_codepage_charset(i);
        struct sg_codepage *cp = sg_codepages_get(set, i);
        uint32_t c = 0;
        bool shifted = name && (strncmp(name, "ISO-2022", 8) == 0 ||
                                strncmp(name, "UTF-16", 6) == 0 || strcmp(name, "UTF-7") == 0);
        assert_int_equal(cp != NULL, name && !shifted);
        if (cp) {
            assert_int_equal(sg_codepage_decode(cp, (const uint8_t *)"S", 1, &c), 1);
            assert_int_equal(c, 'S');
        }
    }
    sg_codepages_free(&set);
    assert_null(set);
}

static void characters_of_one_to_four_bytes(void **state)
{
    (void)state;
    struct sg_codepages *set = sg_codepages_new();
    uint32_t c = 0;
    assert_int_equal(decode(set, 1252, "\x80", 1, &c), 1);
    assert_int_equal(c, 0x20ac);
    assert_int_equal(decode(set, 1251, "\xc0", 1, &c), 1);
    assert_int_equal(c, 0x0410);
    assert_int_equal(decode(set, 1253, "\xff", 1, &c), -1);
    assert_int_equal(decode(set, 932, "\x93", 1, &c), 0);
    assert_int_equal(decode(set, 932, "\x93\xfa", 2, &c), 1);
    assert_int_equal(c, 0x65e5);
    assert_int_equal(decode(set, 936, "\xd6\xd0", 2, &c), 1);
    assert_int_equal(c, 0x4e2d);
    assert_int_equal(decode(set, 65001, "\xf0\x9f\x98", 3, &c), 0);
    assert_int_equal(decode(set, 65001, "\xf0\x9f\x98\x80", 4, &c), 1);
    assert_int_equal(c, 0x1f600);
    assert_int_equal(decode(set, 65001, "\xff", 1, &c), -1);
    assert_int_equal(decode(set, 1255, "\xe0", 1, &c), 1);
    assert_int_equal(c, 0x05d0);
    sg_codepages_free(&set);
}

static void fonts_name_their_code_page_by_a_charset_number(void **state)
{
    (void)state;
    assert_int_equal(sg_codepage_of_fcharset(0), 1252);
    assert_int_equal(sg_codepage_of_fcharset(1), 0);
    assert_int_equal(sg_codepage_of_fcharset(128), 932);
    assert_int_equal(sg_codepage_of_fcharset(204), 1251);
    assert_int_equal(sg_codepage_of_fcharset(4711), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_pages_have_the_names_of_iconv),
        cmocka_unit_test(each_code_page_that_is_named_can_be_decoded),
        cmocka_unit_test(characters_of_one_to_four_bytes),
        cmocka_unit_test(fonts_name_their_code_page_by_a_charset_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
