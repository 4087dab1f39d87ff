/* When Postfix took a message in, by its long queue id. */
#include "pipeline/queue_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Given out by Postfix 3.7 at 2026-11-30 00:28:23 UTC. */
static void long_ids_say_when(void **state)
{
    (void)state;
    sg_time a, b;
    assert_true(sg_queue_id_time("4jd4cl1cXlz1bkbQ", &a));
    assert_true(sg_queue_id_time("4jd4cl17jQz1bkVZ", &b));
    assert_int_equal(a / SG_SECOND, 1795998503);
    assert_int_equal(b / SG_SECOND, 1795998503);
    assert_true(b < a);
}

static void others_do_not(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "z",
                                         "3F2A1B4C5D",
                                         "4jd4cl1cXlz",
                                         "4jd4c1cXlz1bkbQ",
                                         "4jd4clacXlz1bkbQ",
                                         "4jd4cl1cX z1b",
                                         "4jd4clzzzzz1bkbQ",
                                         "zzzzzzyyyyz1",
                                         "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyz1",
                                         "msg-1"};
    sg_time t;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(sg_queue_id_time(others[i], &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_ids_say_when),
        cmocka_unit_test(others_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
