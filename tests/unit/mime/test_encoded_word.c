/* Header fields as people read them (RFC 2047). REQ-77 */
#include "mime/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        assert_string_equal(sg_header_decode(arena, cases[i].written), cases[i].read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
