/* hsm/pool.c: whose turn it is, and how many sessions there are. */
#include "pool_fixture.h"

/* Who gives a session back and asks for one again at once does not get past who waits. */
static void who_waited_longest_is_served_first(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner again = {.pool = pool, .letter = 'z'};
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate, .then = &again};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    runner_start(&c);
    waiting_await(pool, 2);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    pthread_join(c.thread, NULL);
    assert_string_equal(order, "abcz");
    pool_end(pool);
}

static void who_gives_up_holds_up_nobody(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    runner_start(&first);
    gate_await(&gate);
    b.deadline = sg_deadline_in(1000);
    runner_start(&b);
    waiting_await(pool, 1);
    runner_start(&c);
    pthread_join(b.thread, NULL);
    assert_false(b.ok);
    assert_int_equal(b.err.code, SG_E_BUSY);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(c.thread, NULL);
    assert_true(c.ok);
    assert_string_equal(order, "ac");
    pool_end(pool);
}

static void a_session_that_does_not_open_holds_up_nobody(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    runner_start(&first);
    gate_await(&gate);
    gate_set(&token.opening, false);
    runner_start(&b);
    gate_await(&token.opening);
    runner_start(&c);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(c.thread, NULL);
    assert_string_equal(order, "ac");
    gate_set(&token.opening, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_true(b.ok);
    pool_end(pool);
}

static void a_token_with_fewer_sessions(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    atomic_store(&token.sessions_max, 2); /* one is the keeper */
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    assert_int_equal(sg_pool_state(pool).limit, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_true(first.ok && b.ok);
    pool_end(pool);
}

/* Others had the token's sessions, and give them back. */
static void a_token_with_fewer_sessions_for_a_while(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    atomic_store(&token.sessions_max, 2);
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    assert_int_equal(sg_pool_state(pool).limit, 1);
    atomic_store(&token.sessions_max, 1000);
    pthread_join(b.thread, NULL); /* while the first one still has its own */
    assert_true(b.ok);
    assert_int_equal(sg_pool_state(pool).limit, 2);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pool_end(pool);
}

static void a_token_that_is_opened_anew_may_have_more_sessions(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    atomic_store(&token.sessions_max, 2);
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    int times = 0;
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_int_equal(sg_pool_state(pool).limit, 1);
    assert_true(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), NULL));
    assert_int_equal(sg_pool_state(pool).limit, 4);
    pool_end(pool);
}

/* The one session comes back while the token is asked for another. */
static void who_gets_no_further_session_takes_a_free_one(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    atomic_store(&token.sessions_max, 2);
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    gate_set(&token.opening, false);
    runner_start(&b);
    gate_await(&token.opening);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    int64_t began = sg_clock_monotonic_ms();
    gate_set(&token.opening, true);
    pthread_join(b.thread, NULL);
    assert_true(b.ok);
    assert_true(sg_clock_monotonic_ms() - began < 10000); /* half of the time that it waits */
    pool_end(pool);
}

/* While others have one, theirs is waited for: to begin anew would end what they are at. */
static void a_module_that_opens_no_further_session(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    atomic_store(&token.sick, true);
    runner_start(&b);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_true(first.ok && b.ok);
    assert_int_equal(sg_pool_state(pool).logins, 1);
    pool_end(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_waited_longest_is_served_first, pool_setup),
        cmocka_unit_test_setup(who_gives_up_holds_up_nobody, pool_setup),
        cmocka_unit_test_setup(a_session_that_does_not_open_holds_up_nobody, pool_setup),
        cmocka_unit_test_setup(a_token_with_fewer_sessions, pool_setup),
        cmocka_unit_test_setup(a_token_with_fewer_sessions_for_a_while, pool_setup),
        cmocka_unit_test_setup(a_token_that_is_opened_anew_may_have_more_sessions, pool_setup),
        cmocka_unit_test_setup(who_gets_no_further_session_takes_a_free_one, pool_setup),
        cmocka_unit_test_setup(a_module_that_opens_no_further_session, pool_setup),
    };
    return cmocka_run_group_tests(tests, pin_file_make, pin_file_remove);
}
