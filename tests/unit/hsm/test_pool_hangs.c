/* hsm/pool.c: a module that has lost what it had, does nothing any more, or hangs. */
#include "pool_fixture.h"

static void whatever_fails_without_a_login_is_done_again(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    int times = 0;
    assert_true(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 2);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    times = 0; /* with one it has failed */
    assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 1);
    assert_int_equal(err.code, SG_E_HSM_OPERATION);
    assert_int_equal(err.lib_code, CKR_FUNCTION_FAILED);
    pool_end(pool);
}

/* With a code that says nothing, when there is no session left. */
static void a_module_that_opens_no_session_is_started_anew(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    int times = 0;
    assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    atomic_store(&token.sick, true);
    runner_run(&b);
    assert_true(b.ok);
    assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    atomic_store(&token.sick_for_good, true);
    atomic_store(&token.sick, true);
    runner_run(&c);
    assert_false(c.ok);
    assert_int_equal(c.err.code, SG_E_HSM_UNAVAILABLE);
    assert_int_equal(c.err.lib_code, CKR_GENERAL_ERROR);
    assert_true(sg_pool_state(pool).broken);
    pool_end(pool);
}

static CK_RV work_deaf(const struct sg_session *session, void *arg, struct sg_error *err)
{
    int *times = arg;
    (void)session, (void)err;
    ++*times;
    return atomic_load(&token.deaf) ? CKR_FUNCTION_FAILED : CKR_OK;
}

/* As that of a network HSM, which opens sessions and tells their state without it. */
static void a_module_that_does_nothing_is_started_anew(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(2, 20000);
    int times = 0;
    atomic_store(&token.deaf, true);
    assert_true(sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 2);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    atomic_store(&token.deaf_for_good, true);
    atomic_store(&token.deaf, true);
    assert_false(sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), &err));
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
    assert_int_equal(err.lib_code, CKR_GENERAL_ERROR);
    assert_true(sg_pool_state(pool).broken);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    atomic_store(&token.deaf_for_good, false);
    for (sg_deadline end = sg_deadline_in(10000);
         !sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), NULL);)
        assert_true(sg_deadline_left(end) > 0);
    assert_false(sg_pool_state(pool).broken);
    assert_int_equal(sg_pool_state(pool).logins, 3);
    pool_end(pool);
}

/* What it says to that may say more than what it said before. */
static void a_module_that_says_only_then_what_it_lost(void **state)
{
    (void)state;
    const CK_RV says[] = {CKR_DEVICE_REMOVED, CKR_DEVICE_MEMORY};
    for (int i = 0; i < 2; i++) {
        struct sg_pool *pool = pool_of(2, 20000);
        int times = 0;
        atomic_store(&token.deaf_says, says[i]);
        atomic_store(&token.deaf, true);
        bool ok = sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), NULL);
        assert_int_equal(ok, says[i] == CKR_DEVICE_REMOVED); /* a full token is not begun anew */
        assert_int_equal(sg_pool_state(pool).logins, ok ? 2 : 1);
        pool_end(pool);
    }
}

/* Whoever has it asks as often as he likes, and nobody else notices. */
static void a_key_that_always_fails(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(2, 20000);
    int times = 0;
    for (int i = 0; i < 100; i++)
        assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 100);
    assert_int_equal(err.code, SG_E_HSM_OPERATION);
    assert_int_equal(sg_pool_state(pool).logins, 1);
    pool_end(pool);
}

/* The circuit opens when nothing has come back for so long, and closes with what comes back. */
static void a_module_that_hangs(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    struct runner d = {.pool = pool, .letter = 'd'};
    int64_t began = sg_clock_monotonic_ms();
    first.deadline = sg_deadline_in(10);
    assert_int_equal(sg_pool_watch(pool), 0);
    runner_start(&first);
    gate_await(&gate);
    overdue_await(pool, false);
    assert_int_equal(sg_pool_state(pool).stuck, 1);
    runner_run(&b); /* something comes back: it is one call alone that hangs */
    assert_true(b.ok);
    overdue_await(pool, true);
    assert_true(sg_clock_monotonic_ms() - began >= HANG_MS);
    int64_t asked = sg_clock_monotonic_ms();
    runner_run(&c);
    assert_int_equal(c.err.code, SG_E_HSM_UNAVAILABLE);
    assert_true(sg_clock_monotonic_ms() - asked < 1000);
    assert_false(sg_pool_close(pool, sg_deadline_in(20000)));
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    assert_true(first.ok);
    assert_int_equal(sg_pool_watch(pool), 0);
    assert_false(sg_pool_state(pool).broken);
    runner_run(&d); /* it was closed above */
    assert_int_equal(d.err.code, SG_E_HSM_UNAVAILABLE);
    pool_end(pool);
}

static void a_login_that_hangs(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    gate_set(&token.logging_in, false);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(50), &err));
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
    overdue_await(pool, true);
    runner_run(&b);
    assert_int_equal(b.err.code, SG_E_HSM_UNAVAILABLE);
    gate_set(&token.logging_in, true);
    for (sg_deadline end = sg_deadline_in(10000); sg_pool_watch(pool) > 0;)
        assert_true(sg_deadline_left(end) > 0);
    runner_run(&c);
    assert_true(c.ok);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    pool_end(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whatever_fails_without_a_login_is_done_again, pool_setup),
        cmocka_unit_test_setup(a_module_that_opens_no_session_is_started_anew, pool_setup),
        cmocka_unit_test_setup(a_module_that_does_nothing_is_started_anew, pool_setup),
        cmocka_unit_test_setup(a_module_that_says_only_then_what_it_lost, pool_setup),
        cmocka_unit_test_setup(a_key_that_always_fails, pool_setup),
        cmocka_unit_test_setup(a_module_that_hangs, pool_setup),
        cmocka_unit_test_setup(a_login_that_hangs, pool_setup),
    };
    return cmocka_run_group_tests(tests, pin_file_make, pin_file_remove);
}
