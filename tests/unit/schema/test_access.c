#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/access.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *becomes; /* NULL: refused */
    } cases[] = {
        {"domains:read", "domains:read"},
        {"held:write domains:read", "domains:read held:write"},
        {"audit:read tenants:write tenants:read tenants:read", "tenants:write audit:read"},
        {"next_hops:write", "next_hops:write"},
        {"", NULL},
        {" ", NULL},
        {"domains", NULL},
        {"domains:", NULL},
        {"domains:reads", NULL},
        {"domains:rea", NULL},
        {"domain:read", NULL},
        {"domains:read ", NULL},
        {" domains:read", NULL},
        {"domains:read  held:read", NULL},
        {"domains:read\theld:read", NULL},
        {"DOMAINS:READ", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_access access;
        struct sg_error err = {0};
        bool ok = sg_access_parse(cases[i].text, &access, &err);
        if (ok != (cases[i].becomes != NULL) || (!ok && err.code != SG_E_INVALID))
            fail_msg("case %zu: %s", i, err.detail);
        if (ok)
            assert_string_equal(sg_access_text(arena, &access), cases[i].becomes);
    }
}

static struct sg_access of(const char *role, bool tenant, const char *scope)
{
    struct sg_access access;
    struct sg_error err = {0};
    if (!sg_access_of(role, tenant, scope, &access, &err))
        fail_msg("%s %s: %s", role, scope ? scope : "", err.detail);
    return access;
}

static void test_roles(void **state)
{
    (void)state;
    for (size_t i = 0; i < sg_role_count; i++) {
        const struct sg_role *r = &sg_roles[i];
        assert_string_equal(r->name, sg_role_names[i]);
        assert_ptr_equal(sg_role_find(r->name), r);
        for (int tenant = 0; tenant < 2; tenant++) {
            struct sg_access access;
            struct sg_error err = {0};
            bool ok = sg_access_of(r->name, tenant, NULL, &access, &err);
            assert_true(ok == (tenant ? r->tenant : r->platform));
        }
    }
    assert_null(sg_role_names[sg_role_count]);
    assert_null(sg_role_find("public"));
}

static void test_rights(void **state)
{
    (void)state;
    struct sg_access auditor = of("auditor", true, NULL), billing = of("billing", false, NULL);
    assert_int_equal(auditor.write, 0);
    for (int scope = 0; scope < SG_SCOPE_COUNT; scope++)
        assert_true(sg_access_may(&auditor, scope, false));
    assert_int_equal(billing.write, 0);
    assert_true(sg_access_may(&billing, SG_SCOPE_usage, false));
    assert_false(sg_access_may(&billing, SG_SCOPE_keys, false));
    /* Writing contains reading, and a scope gives nothing that the role has not. */
    struct sg_access provisioning = of("provisioning", false, "domains:write tokens:write");
    assert_true(sg_access_may(&provisioning, SG_SCOPE_domains, false));
    assert_true(sg_access_may(&provisioning, SG_SCOPE_domains, true));
    assert_false(sg_access_may(&provisioning, SG_SCOPE_tokens, false));
    assert_false(sg_access_may(&provisioning, SG_SCOPE_tenants, false));
    struct sg_access reading = of("provisioning", false, "domains:read");
    assert_false(sg_access_may(&reading, SG_SCOPE_domains, true));
    assert_true(sg_access_within(&reading, &provisioning));
    assert_false(sg_access_within(&provisioning, &reading));
    assert_true(sg_access_within(&provisioning, &provisioning));
    struct sg_access all = of("provider-admin", false, NULL);
    assert_true(sg_access_within(&auditor, &all) && !sg_access_within(&all, &auditor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
