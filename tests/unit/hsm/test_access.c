/* hsm/access.c: the table uid × operation × class. REQ-132 */
#include "hsm/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char deployed[] =
    "61001:dca:sign,decrypt,public 61001:hold:make,open 61001:journal:make,open  "
    "61003:dca:generate,csr,public,destroy 61003:archive:generate,decrypt,public "
    "61003:evidence:generate,sign,public";

static void only_what_is_listed_is_allowed(void **state)
{
    (void)state;
    struct sg_access access;
    struct sg_error err;
    int allowed = 0;
    assert_true(sg_access_parse(deployed, &access, &err));
    for (uid_t uid = 61000; uid < 61005; uid++)
        for (unsigned class = 1; class < SG_HSM_CLASSES; class ++)
            for (unsigned op = SG_HSM_OP_HEALTH + 1; op < SG_HSM_OPS; op++)
                allowed +=
                    sg_access_allows(&access, uid, (enum sg_hsm_op)op, (enum sg_hsm_class) class);
    assert_int_equal(allowed, 3 + 2 + 2 + 4 + 3 + 3);
    assert_true(sg_access_allows(&access, 61001, SG_HSM_OP_SIGN, SG_HSM_DCA));
    assert_false(sg_access_allows(&access, 61001, SG_HSM_OP_GENERATE, SG_HSM_DCA));
    assert_false(sg_access_allows(&access, 61001, SG_HSM_OP_DECRYPT, SG_HSM_ARCHIVE));
    assert_false(sg_access_allows(&access, 61003, SG_HSM_OP_SIGN, SG_HSM_DCA));
    assert_false(sg_access_allows(&access, 0, SG_HSM_OP_SIGN, SG_HSM_DCA));
}

static void health_is_for_everybody_listed(void **state)
{
    (void)state;
    struct sg_access access;
    struct sg_error err;
    assert_true(sg_access_parse(deployed, &access, &err));
    assert_true(sg_access_allows(&access, 61001, SG_HSM_OP_HEALTH, (enum sg_hsm_class)0));
    assert_true(sg_access_allows(&access, 61003, SG_HSM_OP_HEALTH, (enum sg_hsm_class)0));
    assert_false(sg_access_allows(&access, 61004, SG_HSM_OP_HEALTH, (enum sg_hsm_class)0));
    assert_true(sg_access_known(&access, 61003));
    assert_false(sg_access_known(&access, 0));
}

static void users_may_be_named(void **state)
{
    (void)state;
    struct sg_access access;
    struct sg_error err;
    assert_true(sg_access_parse("root:dca:sign", &access, &err));
    assert_true(sg_access_allows(&access, 0, SG_HSM_OP_SIGN, SG_HSM_DCA));
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "   ",
        "61001",
        "61001:dca",
        "61001:dca:",
        "61001:dca:sign,",
        "61001:dca:,sign",
        "61001:dca:fly",
        "61001:dca:health",
        "61001:tea:sign",
        "61001:hold:sign",
        "61001:dca:make",
        "61001:evidence:decrypt",
        ":dca:sign",
        "-1:dca:sign",
        "4294967295:dca:sign",
        "99999999999999999999:dca:sign",
        "61001x:dca:sign",
        "no-such-user-here:dca:sign",
        "61001:dca:sign 61002",
    };
    struct sg_access access;
    struct sg_error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (sg_access_parse(bad[i], &access, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, SG_E_CONFIG);
    }
}

static void there_is_a_limit(void **state)
{
    (void)state;
    char text[SG_ACCESS_RULES * 16 + 32] = "";
    size_t n = 0;
    struct sg_access access;
    struct sg_error err;
    for (int i = 0; i < SG_ACCESS_RULES; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d:dca:sign ", i);
    assert_true(sg_access_parse(text, &access, &err));
    snprintf(text + n, sizeof text - n, "99:dca:sign");
    assert_false(sg_access_parse(text, &access, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_listed_is_allowed),
        cmocka_unit_test(health_is_for_everybody_listed),
        cmocka_unit_test(users_may_be_named),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
