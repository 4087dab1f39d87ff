/* When held mail is tried again: the first wait, doubled from try to try, and the longest. REQ-57
 */
#include "pipeline/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MINUTES    (60 * SG_SECOND)
#define NOW        ((sg_time)1795406645 * SG_SECOND)
#define MANY_TRIES 1000000 /* a wait that went on doubling would be none at all */

static void check(const struct sg_gateway *gw, const struct sg_domain_policy *policy,
                  const sg_time *waits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sg_keep_next_try(gw, policy, (int)i, NOW) - NOW, waits[i]);
    assert_int_equal(sg_keep_next_try(gw, policy, MANY_TRIES, NOW) - NOW, waits[count - 1]);
}

static void doubled_and_capped(void **state)
{
    (void)state;
    const struct sg_gateway gw = {.hold_retry_first = 3 * MINUTES, .hold_retry_most = 20 * MINUTES};
    const sg_time waits[] = {3 * MINUTES, 6 * MINUTES, 12 * MINUTES, 20 * MINUTES, 20 * MINUTES};
    check(&gw, NULL, waits, 5);
}

/* The longest is one of the steps, or a microsecond to either side of one. */
static void the_longest_at_a_step(void **state)
{
    (void)state;
    for (int beside = -1; beside <= 1; beside++) {
        sg_time most = 12 * MINUTES + beside;
        const struct sg_gateway gw = {.hold_retry_first = 3 * MINUTES, .hold_retry_most = most};
        const sg_time waits[] = {3 * MINUTES, 6 * MINUTES, beside < 0 ? most : 12 * MINUTES, most,
                                 most};
        check(&gw, NULL, waits, 5);
    }
    const struct sg_gateway same = {.hold_retry_first = MINUTES, .hold_retry_most = MINUTES};
    const sg_time waits[] = {MINUTES, MINUTES};
    check(&same, NULL, waits, 2);
}

/* Of the domain's policy the first; it may be longer than the longest, and is one then itself. */
static void of_the_policy(void **state)
{
    (void)state;
    const struct sg_gateway gw = {.hold_retry_first = 3 * MINUTES, .hold_retry_most = 20 * MINUTES};
    const struct sg_domain_policy none = {0}, short_ = {.hold_retry_minutes = 7},
                                  long_ = {.hold_retry_minutes = 21};
    const sg_time usual[] = {3 * MINUTES, 6 * MINUTES, 12 * MINUTES, 20 * MINUTES};
    const sg_time sevens[] = {7 * MINUTES, 14 * MINUTES, 20 * MINUTES};
    const sg_time longer[] = {21 * MINUTES, 21 * MINUTES};
    check(&gw, &none, usual, 4);
    check(&gw, &short_, sevens, 3);
    check(&gw, &long_, longer, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubled_and_capped),
        cmocka_unit_test(the_longest_at_a_step),
        cmocka_unit_test(of_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
