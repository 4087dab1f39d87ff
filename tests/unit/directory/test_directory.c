/* tenantd/directory: what is a member, and which changes of a list wait. REQ-55 REQ-108 REQ-190 */
#include "directory/directory_internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_member(void **state)
{
    (void)state;
    static const struct {
        const char *value, *name; /* NULL: malformed */
    } cases[] = {
        {"*@agency.test", "agency.test"},
        {"*@Agency.GOVT.test", "agency.govt.test"},
        {"*@xn--mori-qsa.test", "xn--mori-qsa.test"},
        {"*@a.b", "a.b"},
        {"joe@agency.test", NULL},
        {"@agency.test", NULL},
        {"agency.test", NULL},
        {"*@test", NULL},
        {"*@*.agency.test", NULL},
        {"*@agency.test.", NULL},
        {"*@agency..test", NULL},
        {"*@-agency.test", NULL},
        {"*@agency-.test", NULL},
        {"*@agency.test ", NULL},
        {" *@agency.test", NULL},
        {"*@192.0.2.1", NULL},
        {"*@m\xc4\x81ori.test", NULL},
        {"*@agency.test,*@other.test", NULL},
        {"*@agency_x.test", NULL},
        {"*@", NULL},
        {"*", NULL},
        {"", NULL},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = sg_member_parse(arena, sg_bytes_str(cases[i].value));
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
        else
            assert_null(name);
    }
    assert_null(sg_member_parse(arena, sg_bytes_of("*@a.test\0x.test", 15)));
    char label[80] = "*@";
    memset(label + 2, 'a', 63);
    memcpy(label + 65, ".test", 6);
    assert_non_null(sg_member_parse(arena, sg_bytes_str(label)));
    memcpy(label + 65, "a.test", 7);
    assert_null(sg_member_parse(arena, sg_bytes_str(label)));
}

static void test_reading(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    const struct sg_bytes one[] = {sg_bytes_str("*@b.test"), sg_bytes_str("*@a.test"),
                                   sg_bytes_str("nonsense"), sg_bytes_str("*@B.test")};
    const struct sg_bytes other[] = {sg_bytes_str("*@A.test"), sg_bytes_str("*@b.test")};
    struct sg_member_reading a = {0}, b = {0}, none = {0};
    sg_members_read(arena, one, COUNT(one), &a);
    sg_members_read(arena, other, COUNT(other), &b);
    sg_members_read(arena, NULL, 0, &none);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.skipped, 1);
    assert_string_equal(a.names[0], "a.test");
    assert_string_equal(a.names[1], "b.test");
    assert_string_equal(a.digest, b.digest); /* the same members in another order */
    assert_string_not_equal(a.digest, none.digest);
    assert_int_equal(none.count, 0);
}

static void test_version(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    assert_string_equal(sg_version_parse(arena, sg_bytes_str("version 12")), "version 12");
    assert_string_equal(sg_version_parse(arena, sg_bytes_str("\xff\xfe")), "");
    assert_string_equal(sg_version_parse(arena, sg_bytes_of("1\0002", 3)), "");
    char text[102];
    memset(text, 'v', sizeof text);
    assert_string_equal(sg_version_parse(arena, sg_bytes_of(text, 101)), "");
    assert_int_equal(strlen(sg_version_parse(arena, sg_bytes_of(text, 100))), 100);
}

static void test_verdict(void **state)
{
    (void)state;
    static const struct {
        size_t before, after, added, removed;
        const char *automatic, *approval;
    } cases[] = {
        /* free 2, 10 %, 100 members */
        {0, 0, 0, 0, "", ""},
        {0, 500, 500, 0, "", "approval"},
        {100, 101, 1, 0, "", "approval"},
        {100, 90, 0, 10, "", "approval"},
        {100, 89, 0, 11, "shrunk", "shrunk"},
        {100, 100, 11, 11, "shrunk", "shrunk"}, /* swapped */
        {3, 1, 0, 2, "", "approval"},
        {4, 1, 0, 3, "shrunk", "shrunk"},
        {2, 0, 0, 2, "emptied", "emptied"},
        {10000, 9900, 0, 100, "", "approval"},
        {10000, 9899, 0, 101, "shrunk", "shrunk"},
    };
    struct sg_directory_options o = {.shrink_free = 2, .shrink_percent = 10, .shrink_members = 100};
    for (size_t i = 0; i < COUNT(cases); i++) {
        o.approval = false;
        assert_string_equal(
            sg_list_verdict(&o, cases[i].before, cases[i].after, cases[i].added, cases[i].removed),
            cases[i].automatic);
        o.approval = true;
        assert_string_equal(
            sg_list_verdict(&o, cases[i].before, cases[i].after, cases[i].added, cases[i].removed),
            cases[i].approval);
    }
}

static void test_older(void **state)
{
    (void)state;
    static const struct {
        const char *read, *known;
        bool older;
    } cases[] = {
        {"6", "7", true},
        {"7", "7", false},
        {"8", "7", false},
        {"9", "10", true},
        {"09", "10", true},
        {"010", "10", false},
        {"", "7", false},
        {"7", "", false},
        {"20261125010203Z", "20261125010204Z", false},
        {"version 6", "7", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(sg_version_is_older(cases[i].read, cases[i].known), cases[i].older);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_member),  cmocka_unit_test(test_reading),
        cmocka_unit_test(test_version), cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_older),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
