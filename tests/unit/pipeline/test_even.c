/* Replies that wait for one time, and those that come too late for it. REQ-22 REQ-80 */
#include "pipeline/even.h"

#include "pipeline/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define MS INT64_C(1000000)

static struct sg_gateway gw;
static struct sg_spool *body;

static int64_t exceeded(void)
{
    for (size_t i = 0; sg_pipeline_metrics[i]; i++)
        if (strcmp(sg_pipeline_metrics[i]->name, "sealgate_gateway_failure_floor_exceeded_total") ==
            0)
            return sg_metric_get(sg_pipeline_metrics[i], 0, 0);
    fail();
    return 0;
}

/* A reply to a message that came so long ago; how long it took, from its beginning. */
static int64_t reply_ms(bool even, int64_t ago_ms)
{
    struct sg_message m = {
        .gw = &gw, .body = body, .even = even, .began = sg_even_now() - ago_ms * MS};
    sg_even_wait(&m);
    return (sg_even_now() - m.began) / MS;
}

static void a_reply_in_time_waits(void **state)
{
    (void)state;
    int64_t before = exceeded();
    gw.failure_ms = 60000;
    assert_in_range(reply_ms(true, 60000 - 30), 60000, 90000);
    assert_int_equal(exceeded(), before);
}

static void a_late_one_is_counted(void **state)
{
    (void)state;
    int64_t before = exceeded();
    gw.failure_ms = 20;
    assert_true(reply_ms(true, 1000) >= 1000);
    assert_int_equal(exceeded(), before + 1);
    gw.failure_each_ms = 60000; /* half of it for half a MiB */
    assert_in_range(reply_ms(true, 30000), 30020, 60000);
    assert_int_equal(exceeded(), before + 1);
    assert_true(reply_ms(true, 31000) >= 31000);
    assert_int_equal(exceeded(), before + 2);
    gw.failure_each_ms = 0;
}

/* As for a ping, whose answer waits, and then the reply: neither once more, nor is it late. */
static void what_has_waited_is_not_late(void **state)
{
    (void)state;
    int64_t before = exceeded();
    gw.failure_ms = 20;
    struct sg_message m = {.gw = &gw, .body = body, .even = true, .began = sg_even_now()};
    sg_even_wait(&m);
    int64_t late = exceeded(); /* it may be, on a machine that is busy */
    assert_in_range(late, before, before + 1);
    sg_even_wait(&m);
    assert_int_equal(exceeded(), late);
    m.even = true; /* somebody else's part, since */
    sg_even_wait(&m);
    assert_int_equal(exceeded(), late + 1);
}

static void one_that_need_not_wait_is_not(void **state)
{
    (void)state;
    int64_t before = exceeded();
    gw.failure_ms = 20;
    assert_true(reply_ms(false, 1000) >= 1000);
    gw.failure_ms = 0; /* no floor is wanted */
    assert_true(reply_ms(true, 1000) >= 1000);
    assert_int_equal(exceeded(), before);
}

static int setup(void **state)
{
    static const char kib[1024];
    static const struct sg_spool_limits limits = {
        .memory_bytes = 1 << 20, .max_bytes = 1 << 20, .dir = "/tmp"};
    struct sg_error err = {0};
    (void)state;
    body = sg_spool_new(&limits);
    for (int i = 0; i < 512; i++)
        if (!sg_spool_write(body, kib, sizeof kib, &err))
            return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sg_spool_free(&body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_in_time_waits),
        cmocka_unit_test(a_late_one_is_counted),
        cmocka_unit_test(what_has_waited_is_not_late),
        cmocka_unit_test(one_that_need_not_wait_is_not),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
