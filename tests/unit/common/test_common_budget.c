/* CPU time that is spent, and that is not. */
#include "cmocka_all.h"
#include "common/budget.h"

static void test_spent(void **state)
{
    (void)state;
    struct sg_budget none, much;
    struct sg_error err;
    sg_budget_begin(&none, 0);
    sg_budget_begin(&much, 3600000);
    assert_true(sg_budget_octets(&none, 1000)); /* nobody has looked yet */
    assert_false(sg_budget_left(&none));
    assert_false(sg_budget_octets(&none, 1)); /* and so it stays */
    assert_false(sg_budget_check(&none, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    assert_true(sg_budget_check(&much, &err));
    assert_true(sg_budget_left(NULL));
    assert_true(sg_budget_octets(NULL, SIZE_MAX));
}

/* Octets are looked at sooner or later, whatever the pieces that they come in. */
static void test_octets(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 1000000; piece *= 10) {
        struct sg_budget none;
        size_t octets = 0;
        sg_budget_begin(&none, 0);
        while (sg_budget_octets(&none, piece))
            octets += piece;
        assert_true(octets < 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spent), cmocka_unit_test(test_octets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
