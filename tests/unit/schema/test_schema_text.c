/* What a stranger sent never stops the feed: text that is not UTF-8, too long, or NUL in JSON. */
#include "schema/text_clean.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define FFFD "\xef\xbf\xbd"

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t limit;
        const char *out;
    } rows[] = {
        {"plain", 0, "plain"},
        {NULL, 0, ""},
        {"p\xc5\x8dneke \xf0\x9f\x90\xa7", 0, "p\xc5\x8dneke \xf0\x9f\x90\xa7"},
        {"latin \xe9", 0, "latin " FFFD},
        {"\xe9t\xe9", 0, FFFD "t" FFFD},
        {"overlong \xc0\xaf", 0, "overlong " FFFD FFFD},
        {"surrogate \xed\xa0\x80", 0, "surrogate " FFFD FFFD FFFD},
        {"beyond \xf4\x90\x80\x80", 0, "beyond " FFFD FFFD FFFD FFFD},
        {"cut \xe2\x82", 0, "cut " FFFD FFFD},
        {"abcdef", 3, "abc"},
        {"ab\xe2\x82\xac", 4, "ab"},
        {"ab\xe9", 5, "ab" FFFD},
        {"ab\xe9", 4, "ab"},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(sg_text_clean(arena, rows[i].in, rows[i].limit), rows[i].out);
}

static void test_json(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"{\"a\": 1}", "{\"a\": 1}"},
        {NULL, "{}"},
        {"", "{}"},
        {"{\"a\": \"x\\u0000y\"}", "{\"a\": \"x\\ufffdy\"}"},
        {"{\"a\": \"x\\\\u0000y\"}", "{\"a\": \"x\\\\u0000y\"}"}, /* a backslash, then u0000 */
        {"{\"a\": \"\\\\\\u0000\"}", "{\"a\": \"\\\\\\ufffd\"}"},
        {"{\"a\": \"\xff\"}", "{\"a\": \"" FFFD "\"}"},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(sg_json_clean(arena, rows[i].in), rows[i].out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
