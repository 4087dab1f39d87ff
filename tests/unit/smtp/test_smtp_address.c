/* address.h */
#include "smtp/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const good[] = {
    "a@b",
    "joe@example.test",
    "Joe.Bloggs+tag@Example.Test",
    "!#$%&'*+-/=?^_`{|}~@example.test",
    "\"joe bloggs\"@example.test",
    "\"a@b\\\"c>\"@example.test",
    "\"\"@example.test",
    "joe@[192.0.2.1]",
    "joe@[IPv6:2001:db8::1]",
    "joe@host_name.example.test",
    "joe@xn--bcher-kva.test",
    ("jos\xc3\xa9@b\xc3\xbc"
     "cher.test"),
    "\xe6\xb5\x8b\xe8\xaf\x95@\xe6\xb5\x8b\xe8\xaf\x95.test",
    "\xf0\x9f\x93\xa7@example.test",
    "1@2.3",
};

static const char *const bad[] = {
    "",
    "@",
    "joe",
    "@example.test",
    "joe@",
    ".joe@example.test",
    "joe.@example.test",
    "j..e@example.test",
    "joe bloggs@example.test",
    "joe@exam ple.test",
    "joe@example..test",
    "joe@.example.test",
    "joe@example.test.",
    "joe@-example.test",
    "joe@example-.test",
    "joe@exam>ple.test",
    "joe<x@example.test",
    "joe>@example.test",
    "joe,ann@example.test",
    "joe@ann@example.test",
    "\"joe@example.test",
    "\"jo\"e\"@example.test",
    "\"joe\\\"@example.test",
    "joe\r\nRCPT TO:<x>@example.test",
    "joe@example.test\r",
    "joe@example.test\n",
    "\"joe\r\n\"@example.test",
    "\"joe\t\"@example.test",
    "joe\x7f@example.test",
    "joe@[]",
    "joe@[192.0.2.1",
    "joe@[1 2]",
    /* not UTF-8: a lone octet, overlong, a surrogate, cut short, beyond Unicode */
    "jos\xe9@example.test",
    "\xc0\xae@example.test",
    "\xe0\x80\xae@example.test",
    "\xed\xa0\x80@example.test",
    "joe@\xe6\xb5",
    "\xf4\x90\x80\x80@example.test",
    /* invisible: C1, no-break space, zero width space, line separator, byte order mark */
    "joe\xc2\x85@example.test",
    "joe\xc2\xa0@example.test",
    "joe\xe2\x80\x8b@example.test",
    "joe@exa\xe2\x80\xa8mple.test",
    "\xef\xbb\xbfjoe@example.test",
    "\"joe\\\xc3\xa9\"@example.test",
};

static void validity(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!sg_address_valid(sg_bytes_str(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sg_address_valid(sg_bytes_str(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_false(sg_address_valid(sg_bytes_of("a\0b@example.test", 16)));
    assert_false(sg_address_valid(sg_bytes_of("a@example\0.test", 15)));
    assert_false(sg_address_valid(sg_bytes_of("\"a\0\"@example.test", 17)));
    assert_false(sg_address_valid(sg_bytes_of("a@[1\0]", 6)));
    assert_false(sg_address_valid(sg_bytes_of(NULL, 0)));
}

/* A local part of l octets, a domain of labels of at most n octets that has d in all. */
static struct sg_bytes make(char *out, size_t l, size_t d, size_t n)
{
    memset(out, 'a', l);
    out[l] = '@';
    for (size_t i = 0; i < d; i++)
        out[l + 1 + i] = (i + 1) % (n + 1) == 0 ? '.' : 'b';
    return sg_bytes_of(out, l + 1 + d);
}

static void lengths(void **state)
{
    (void)state;
    char text[1000];
    assert_true(sg_address_valid(make(text, 64, 255, 49)));
    assert_false(sg_address_valid(make(text, 64, 256, 49)));
    assert_false(sg_address_valid(make(text, 65, 255, 49)));
    assert_true(sg_address_valid(make(text, 300, 19, 49)));
    assert_false(sg_address_valid(make(text, 301, 19, 49)));
    assert_true(sg_address_valid(make(text, 1, 63, 63)));
    assert_false(sg_address_valid(make(text, 1, 64, 64)));

    /* "xn--tda" for one letter: what is stored has to fit, not only what was said. */
    static const char domain[] = "@\xc3\xbc.nz";
    memset(text, 'a', 320);
    memcpy(text + 309, domain, sizeof domain); /* 320 octets with A-labels */
    assert_true(sg_address_valid(sg_bytes_str(text)));
    text[309] = 'a';
    memcpy(text + 310, domain, sizeof domain);
    assert_false(sg_address_valid(sg_bytes_str(text)));
}

static void domains(void **state)
{
    (void)state;
    assert_string_equal(sg_address_domain("joe@example.test"), "example.test");
    assert_string_equal(sg_address_domain("\"a@b\"@example.test"), "example.test");
    assert_null(sg_address_domain("joe"));
    assert_null(sg_address_domain(""));
}

static void normal_forms(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Joe.Bloggs@Example.TEST", "joe.bloggs@example.test"},
        {"", ""},
        {"\"Joe\"@example.test", "joe@example.test"},
        {"\"j\\oe\"@example.test", "joe@example.test"},
        {"\"joe bloggs\"@example.test", "\"joe bloggs\"@example.test"},
        {"\"joe.\"@example.test", "\"joe.\"@example.test"},
        {"\"a@b\"@example.test", "\"a@b\"@example.test"},
        {"\"\"@example.test", "\"\"@example.test"},
        {"Jos\xc3\x89@XN--BCHER-KVA.test", "jos\xc3\x89@xn--bcher-kva.test"},
        {"joe@b\xc3\xbc"
         "cher.TEST",
         "joe@xn--bcher-kva.test"},
        {"joe@\xe2\x80\xa4.test", "joe@\xe2\x80\xa4.test"}, /* no name in any reading */
        {"no-domain", "no-domain"},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *once = sg_address_normalise(arena, rows[i][0]);
        assert_string_equal(once, rows[i][1]);
        assert_string_equal(sg_address_normalise(arena, once), once);
    }
}

static void quoting(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"joe@x.test", "joe@x.test"},
        {"joe+tag@x.test", "joe+tag@x.test"},
        {"joe bloggs@x.test", "\"joe bloggs\"@x.test"},
        {"a@b@x.test", "\"a@b\"@x.test"},
        {"say \"hi\\\"@x.test", "\"say \\\"hi\\\\\\\"\"@x.test"},
        {"joe.@x.test", "\"joe.\"@x.test"},
        {"@x.test", "\"\"@x.test"},
        {"jos\xc3\xa9@x.test", "jos\xc3\xa9@x.test"},
        {"joe", NULL},
        {"joe@", NULL},
        {"", NULL},
        {"joe@x y", NULL},
        {"joe\r\nDATA@x.test", NULL},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *quoted = sg_address_quote(arena, rows[i][0]);
        if (rows[i][1])
            assert_string_equal(quoted, rows[i][1]);
        else
            assert_null(quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validity),     cmocka_unit_test(lengths), cmocka_unit_test(domains),
        cmocka_unit_test(normal_forms), cmocka_unit_test(quoting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
