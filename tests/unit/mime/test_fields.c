/* Content-Type, mailbox lists, Date: gatewayd/mime/{content_type,mailbox,claimed,date}.c. REQ-47
 * REQ-65 REQ-66 REQ-117 */
#include "mime/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct sg_header field_of(const void *value, size_t len)
{
    return (struct sg_header){.name = sg_bytes_str("From"), .value = sg_bytes_of(value, len)};
}

/* The addresses of a field, joined by spaces; NULL where it is refused. */
static const char *addresses(struct sg_arena *arena, const char *value)
{
    struct sg_header f = field_of(value, strlen(value));
    struct sg_mailbox *list;
    size_t count;
    struct sg_error err;
    if (!sg_mailbox_list_parse(arena, &f, &list, &count, &err)) {
        assert_int_equal(err.code, SG_E_MALFORMED);
        return NULL;
    }
    const char *all = "";
    for (size_t i = 0; i < count; i++)
        all = sg_arena_printf(arena, "%s%s%s", all, i ? " " : "", list[i].address);
    return all;
}

static void test_mailboxes(void **state)
{
    (void)state;
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {" joe@Agency-A.TEST", "joe@agency-a.test"},
        {"Joe <Joe@x.test>", "Joe@x.test"},
        {"\"Joe, the (one)\" (really) <joe@x.test> (yes)", "joe@x.test"},
        {"J. Q. Public <jq@x.test>,\r\n\tb@y.test", "jq@x.test b@y.test"},
        {"<a@x.test>", "a@x.test"},
        {"=?utf-8?Q?J=C3=B6?= <j@x.test>", "j@x.test"},
        {"J\xf6rg <j@x.test>", "j@x.test"}, /* Latin-1 in a name that is dropped */
        {"j\xc3\xb6rg@b\xc3\xbc.test", "j\xc3\xb6rg@xn--b-eha.test"},
        {"a@bu\xcc\x88.TEST", "a@xn--b-eha.test"},
        {"a@x\xef\xbc\xbfy.test", "a@x_y.test"},        /* full-width '_' */
        {"a@x.test\xe3\x80\x82", "a@x.test"},           /* a stop that is the root's */
        {"a@\xef\xbd\x98\xe3\x80\x82test", "a@x.test"}, /* full-width x, ideographic stop */
        {"A Group: a@x.test, B <b@y.test>; , c@z.test", "a@x.test b@y.test c@z.test"},
        {"undisclosed-recipients:;", ""},
        {"a@x.test,", "a@x.test"},
        {"\"joe\"@x.test", "joe@x.test"},
        {"\"a b\"@x.test", "\"a b\"@x.test"},
        {"\"a@b\\\"c\"@x.test", "\"a@b\\\"c\"@x.test"},
        {"\"a\".b@x.test", "a.b@x.test"},
        {"\"\".b@x.test", "\".b\"@x.test"},
        {"a@[192.0.2.1]", "a@[192.0.2.1]"},
        {"(c (nested \\) one)) a@x.test", "a@x.test"},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = addresses(arena, cases[i].value);
        if (!got)
            fail_msg("refused: %s", cases[i].value);
        assert_string_equal(got, cases[i].expected);
    }
}

static void test_mailboxes_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "  ", "(only a comment)", "joe", "joe@", "joe@x.\xe3\x80\x82",
        "joe@x\xe2\x80\xa4test", /* no name in any reading */
        /* no letters of a domain: without them it is another's */
        "a@agency\xc2\xa8.govt.nz",
        "x@police\xef\xbc\xa0"
        "evil.nz",
        "x@agency\xe2\x91\xb4.test",
        "x@a\xe2\x84\x80"
        "b.test",
        "@x.test", "<>", "Joe", "a@x.test b@y.test", "boss@x.test <evil@y.test>", "Joe <joe@x.test",
        "Joe joe@x.test>", "<@r.test:a@x.test>", "a @x.test", "a@ x.test", "a@x.test.", "a@.test",
        "a..b@x.test", ".a@x.test", "a@x..test", "a@x.test;", "Group: a@x.test",
        "Group: Inner: a@x.test;;", "\"open@x.test", "(open a@x.test", "a@x.test\rb", "a@x.test\nb",
        "a\x01@x.test", "a@x\x7f.test", "a@b@c.test", "a@[1.2.3", "a@[[]", "\xf6@x.test",
        "a@b\xfc.test", "a@x.test <b@y.test>", "<a@x.test> <b@y.test>", "a@x.test\r\n"};
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (addresses(arena, bad[i]))
            fail_msg("taken: %s as %s", bad[i], addresses(arena, bad[i]));

    struct sg_header f = field_of("a\0@x.test", 9);
    struct sg_mailbox *list;
    size_t count;
    struct sg_error err;
    assert_false(sg_mailbox_list_parse(arena, &f, &list, &count, &err));
    f = field_of("\"a\\\0\"@x.test", 12);
    assert_false(sg_mailbox_list_parse(arena, &f, &list, &count, &err));
}

static void test_comment_depth(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    char deep[100000];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_null(addresses(arena, deep));
}

static void check_type(const char *value, const char *type, const char *name, const char *expected)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header f = field_of(value, strlen(value));
    struct sg_content_type t;
    sg_content_type_parse(arena, &f, &t);
    assert_string_equal(t.type, type);
    if (!name)
        return;
    const char *got = sg_content_type_parameter(&t, name);
    if (!expected)
        assert_null(got);
    else if (!got)
        fail_msg("no %s in %s", name, value);
    else
        assert_string_equal(got, expected);
}

static void test_content_type(void **state)
{
    (void)state;
    check_type("", "text/plain", NULL, NULL);
    check_type("nonsense", "text/plain", NULL, NULL);
    check_type(" Multipart/Signed; Protocol=\"application/pkcs7-signature\"", "multipart/signed",
               "protocol", "application/pkcs7-signature");
    check_type("a/b; x=1 (one); y=\"2;3\"; z=4", "a/b", "y", "2;3");
    check_type("a/b; x=1 (one; y=no); z=4", "a/b", "y", NULL);
    check_type("a/b; x=1 (one; y=no); z=4", "a/b", "z", "4");
    check_type("a/b; x=\"a\\\"b\"", "a/b", "x", "a\"b");
    check_type("a/b; x=\"a\r\n b\"", "a/b", "x", "a b");
    check_type("a/b;\r\n\tboundary=----=_Part_1", "a/b", "boundary", "----=_Part_1");
    check_type("a/b; x=1; X=2", "a/b", "x", "1");
    check_type("a/b; bad; x=1", "a/b", "x", "1");
    check_type("a/b; x=\"open", "a/b", "x", NULL);
    check_type("a/b; n*0=one; n*1=\" two\"; n*2*=%20three", "a/b", "n", "one two three");
    check_type("a/b; n*1=two; n*0*=utf-8'en'one%20", "a/b", "n", "one two");
    check_type("a/b; n*=us-ascii'en-us'it%27s", "a/b", "n", "it's");
    check_type("a/b; n*=x%00y", "a/b", "n", NULL);
    check_type("a/b; n*1=never", "a/b", "n", "");
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_content_type t;
    sg_content_type_parse(arena, NULL, &t);
    assert_string_equal(t.type, "text/plain");
    assert_null(sg_content_type_parameter(&t, "x"));
}

/* What all readers take for the same, and what not. */
static void test_ambiguous_type(void **state)
{
    (void)state;
    static const char *const plain[] = {
        (" Multipart/Signed; Protocol=\"application/pkcs7-signature\";\r\n\tmicalg=sha-256; "
         "boundary=b"),
        "a/b", "a/b ;x=1; y=2 ;", "a/b; x=\"1;2\" ;\r\n "};
    static const char *const ambiguous[] = {
        "a/b; x=1; X=2",     "a/b; x*0=1",       "a/b; x*=us-ascii''1", "a/b; x=1 (; x=2)",
        "a/b (c); x=1",      "a/b; x=1; bad",    "a/b; =1; x=1",        "a/b; x=\"1\"2",
        "a/b; x=1 2; y=3",   "a/b c; x=1",       "a/b; x=\"1",          "a/b; x=1;; y=2",
        "a/b; x=1; \x01y=2", "a/b; x=\"1\x01\"", "a/b; x=\"\xe4\"",
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_content_type t;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct sg_header f = field_of(plain[i], strlen(plain[i]));
        sg_content_type_parse(arena, &f, &t);
        if (t.ambiguous)
            fail_msg("ambiguous: %s", plain[i]);
    }
    for (size_t i = 0; i < sizeof ambiguous / sizeof *ambiguous; i++) {
        struct sg_header f = field_of(ambiguous[i], strlen(ambiguous[i]));
        sg_content_type_parse(arena, &f, &t);
        if (!t.ambiguous)
            fail_msg("not ambiguous: %s", ambiguous[i]);
    }
}

/* As many parameters as are read, and one more: a name twice among those is not seen. */
static void test_many_parameters(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t count = 31; count < 70; count++) {
        const char *value = "a/b; boundary=x";
        struct sg_content_type t;
        for (size_t i = 1; i < count; i++)
            value = sg_arena_printf(arena, "%s; p%zu=x", value, i);
        struct sg_header f = field_of(value, strlen(value));
        sg_content_type_parse(arena, &f, &t);
        assert_int_equal(t.ambiguous, count > 32);
        value = sg_arena_printf(arena, "%s; boundary=y", value);
        f = field_of(value, strlen(value));
        sg_content_type_parse(arena, &f, &t);
        assert_true(t.ambiguous);
        assert_string_equal(sg_content_type_parameter(&t, "boundary"), "x");
    }
}

static void test_date(void **state)
{
    (void)state;
    /* Seconds since 1970 by another clock (date -u -d … +%s); 0 is refused. */
    static const struct {
        const char *value;
        int64_t seconds;
    } cases[] = {
        {" Mon, 23 Nov 2026 10:00:00 +1300", 1795381200},
        {" 23 Nov 2026 10:00:00 +1300 (NZDT)", 1795381200},
        {"Mon,\r\n 23 Nov\r\n 2026 10:00 +1300", 1795381200},
        {"Sun, 22 nov 26 21:00:00 GMT", 1795381200},
        {"Sun, 22 Nov 2026 16:00:00 EST", 1795381200},
        {"Sun, 22 Nov 2026 21 : 00 : 00 Z", 1795381200},
        {"Sun, 22 Nov 2026 21:00:00 -0000", 1795381200},
        {"Sun, 22 Nov 2026 21:00:00 XYZ", 1795381200},
        {"Tue, 29 Feb 2000 23:59:60 +0000", 951868800},
        {"Thu, 1 Jan 1970 00:00:01 +0000", 1},
        {"Wed, 31 Dec 9999 23:59:59 +0000", 253402300799},
        {"1 Jan 99 00:00:00 +0000", 915148800},
        {"", 0},
        {"Mon, 30 Feb 2026 10:00:00 +0000", 0},
        {"29 Feb 1900 10:00:00 +0000", 0},
        {"29 Feb 2026 10:00:00 +0000", 0},
        {"31 Nov 2026 10:00:00 +0000", 0},
        {"0 Nov 2026 10:00:00 +0000", 0},
        {"23 Nov 2026 24:00:00 +0000", 0},
        {"23 Nov 2026 10:60:00 +0000", 0},
        {"23 Nov 2026 10:00:61 +0000", 0},
        {"23 Nov 2026 10:00:00", 0},
        {"23 Nov 2026 10:00:00 +01000", 0},
        {"23 Nov 2026 10:00:00 +0060", 0},
        {"23 Nov 2026 10:00:00 +0000 x", 0},
        {"23 Nov 20261 10:00:00 +0000", 0},
        {"Foo, 23 Nov 2026 10:00:00 +0000", 0},
        {"23 Foo 2026 10:00:00 +0000", 0},
        {"23 November 2026 10:00:00 +0000", 0},
        {"2026-11-23T10:00:00Z", 0},
        {"31 Dec 1969 23:59:59 +0000", 0},
        {"1 Jan 1969 23:59:59 +0000", 0},
        {"23 Nov 2026 10:00:00 (", 0},
        {"23 Nov 2026 10:00:00 +0000\x01", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sg_header f = field_of(cases[i].value, strlen(cases[i].value));
        sg_time at = 0;
        bool good = sg_date_parse(&f, &at);
        if (good != (cases[i].seconds != 0) || (good && at != cases[i].seconds * SG_SECOND))
            fail_msg("%s: %d %lld", cases[i].value, good, (long long)at);
    }
}

/* Joined by spaces; "?" in front where they cannot be told. */
static const char *claimed(struct sg_arena *arena, const void *value, size_t len)
{
    struct sg_header f = field_of(value, len);
    const char *const *list;
    size_t count;
    const char *all = sg_mailbox_domains_claimed(arena, &f, 8, &list, &count) ? "" : "?";
    for (size_t i = 0; i < count; i++)
        all = sg_arena_printf(arena, "%s%s%s", all, i ? " " : "", list[i]);
    return all;
}

/* Of a From that does not parse: what any reader may see in it. */
static void test_claimed_domains(void **state)
{
    (void)state;
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"Smith, John <john@outside.test>", "outside.test"},
        {"joe@outside.test <joe@Outside.test>", "outside.test"},
        {"joe.@docomo.test", "docomo.test"},
        {"joe..smith@docomo.test", "joe..smith docomo.test"},
        {"John [Work] <joe@outside.test>", "outside.test"},
        {"Jos\xe9, X <j@x.test>", "x.test"},
        {"Mail Delivery System <MAILER-DAEMON>", ""},
        {"MAILER-DAEMON (Mail Delivery System)", ""},
        {"ann@b.test, Smith, John <j@x.test>", "b.test x.test"},
        {"<@a.test,@b.test:j@x.test>", "a.test b.test x.test"},
        {"Smith, J. <ann@b.test@x.test>", "b.test x.test"},
        {"[x] <ann @ b . test>", "b.test"},
        {"[x] <ann@b\r\n .test>", "b b.test"},
        {"[x] <ann@b(comment).test>", "b b.test"},
        {"[x] <\"ann\"@\"b.test\">", "b.test"},
        {"\"(\" <ann@b (x).test> \")\"", "b b.test"},
        {"=?utf-8?q?ann=40b.test?=, x <j@x.test>", "40b.test x.test b.test"},
        {"[x] <ann\xef\xbc\xa0"
         "b.test>, j@x.test",
         "b.test x.test"},
        {"ann at b.test, J <j@x.test>", "b.test x.test annatb.test"},
        {"[x] <ann@b\xe3\x80\x82test>", "b.test"},
        {"[x] <ann@b.te\xc2\xadst>", "b.test"}, /* a soft hyphen is nothing */
        {"[x] <ann@b.test.>", "b.test"},
        /* Nobody knows */
        {"", "?"},
        {"undisclosed:;", "?"},
        {"Ann", "?"},
        {"Ann of b.test", "?b.test annofb.test"},
        {"[x] <ann>", "?"},
        {"<ann>, j@x.test", "?x.test"},
        {"[x] <ann@>", "?"},
        {"[x] <ann@[192.0.2.1]>", "?192.0.2.1"},
        {"[x] <ann@\xff.test>", "?"},
        {"[x] <ann@x.te\rst>", "?x.test"},
        {"[x] <ann@x.te\x01st>", "?x.te"},
        {"Smith\\, John <j@x.test>", "?x.test"},
        {"John (Work <j@x.test>", "?x.test"},
        {"=?utf-8?q?a=0Ab?=, x <j@x.test>", "?x.test"},
        {"a@a.test b@b.test c@c.test d@d.test e@e.test f@f.test g@g.test h@h.test i@i.test",
         "?a.test b.test c.test d.test e.test f.test g.test h.test"},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = claimed(arena, cases[i].value, strlen(cases[i].value));
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: %s, not %s", cases[i].value, got, cases[i].expected);
    }
    assert_string_equal(claimed(arena, "[x] <a@x.te\0st>", 16), "?x.te");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailboxes),       cmocka_unit_test(test_mailboxes_refused),
        cmocka_unit_test(test_comment_depth),   cmocka_unit_test(test_date),
        cmocka_unit_test(test_content_type),    cmocka_unit_test(test_ambiguous_type),
        cmocka_unit_test(test_many_parameters), cmocka_unit_test(test_claimed_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
