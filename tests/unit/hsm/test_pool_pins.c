/* hsm/pool.c: a login is made anew (a reload), and the PIN that it is made with. */
#include "pool_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of an operation that may take its time, such as the making of a key pair. */
static void a_reload_waits_for_no_operation(void **state)
{
    (void)state;
    struct gate gate = GATE(false);
    struct sg_pool *pool = pool_of(2, 100);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    assert_int_equal(atomic_load(&token.login_count), 2);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    assert_int_equal(atomic_load(&token.sessions), 2); /* the keeper and the first one's */
    assert_false(sg_pool_state(pool).broken);
    runner_run(&b);
    assert_true(b.ok);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    assert_true(first.ok);
    pool_end(pool);
}

/* The login that stands serves; the PIN is not tried a second time. */
static void a_reload_with_a_pin_that_is_refused(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    atomic_store(&token.login_fails, CKR_PIN_INCORRECT);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_true(sg_token_pin_refused(&err));
    runner_run(&b);
    assert_true(b.ok);
    assert_int_equal(atomic_load(&token.login_count), 2);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    pool_end(pool);
}

struct loss {
    struct sg_pool *pool;
    int *times;
    bool ok;
};

static void *loss_run(void *arg)
{
    struct loss *loss = arg;
    loss->ok = sg_pool_run(loss->pool, work_twice, loss->times, sg_deadline_in(20000), NULL);
    return NULL;
}

static enum sg_pool_phase phase_of(struct sg_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    enum sg_pool_phase phase = pool->phase;
    pthread_mutex_unlock(&pool->mutex);
    return phase;
}

/* Not by itself: each time may be the one that locks the token. */
static void a_pin_that_was_refused_is_not_tried_at_a_loss(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    atomic_store(&token.login_fails, CKR_PIN_INCORRECT);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    for (int i = 0; i < 3; i++) {
        int times = 0;
        assert_false(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), &err));
        assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
        assert_int_equal(err.lib_code, CKR_PIN_INCORRECT);
        assert_true(sg_pool_state(pool).broken);
        while (sg_clock_monotonic_ms() < pool->retry_at_ms)
            ;
    }
    assert_int_equal(atomic_load(&token.login_count), 2);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    runner_run(&b);
    assert_true(b.ok);
    assert_int_equal(atomic_load(&token.login_count), 3);
    pool_end(pool);
}

/* The loss comes while the token still thinks about the PIN. */
static void a_pin_that_is_refused_during_a_loss(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    int times = 0;
    gate_set(&token.logging_in, false);
    atomic_store(&token.login_fails, CKR_PIN_INCORRECT);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(0), NULL));
    gate_await(&token.logging_in);
    pthread_t thread;
    struct loss loss = {.pool = pool, .times = &times};
    assert_int_equal(pthread_create(&thread, NULL, loss_run, &loss), 0);
    for (sg_deadline end = sg_deadline_in(10000); phase_of(pool) != SG_POOL_OPENING;)
        assert_true(sg_deadline_left(end) > 0);
    gate_set(&token.logging_in, true);
    pthread_join(thread, NULL);
    assert_false(loss.ok);
    assert_false(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), &err));
    assert_int_equal(err.lib_code, CKR_PIN_INCORRECT);
    assert_int_equal(atomic_load(&token.login_count), 2);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    runner_run(&b);
    assert_true(b.ok);
    pool_end(pool);
}

/* Whatever is wrong with its file: the token was not asked, and the login that stands serves. */
static void a_reload_without_a_pin(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    char aside[80], long_pin[600];
    memset(long_pin, '1', sizeof long_pin);
    snprintf(aside, sizeof aside, "%s-aside", pin_file);
    assert_int_equal(rename(pin_file, aside), 0);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_int_equal(mkdir(pin_file, 0700), 0);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_int_equal(rmdir(pin_file), 0);
    int fd = open(pin_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, long_pin, sizeof long_pin), sizeof long_pin);
    assert_int_equal(close(fd), 0);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_false(sg_token_pin_refused(&err));
    assert_false(sg_pool_state(pool).broken);
    assert_int_equal(rename(aside, pin_file), 0);
    runner_run(&b);
    assert_true(b.ok);
    assert_int_equal(atomic_load(&token.login_count), 1);
    pool_end(pool);
}

static void a_reload_that_cannot_log_in_begins_anew(void **state)
{
    (void)state;
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    atomic_store(&token.login_fails, CKR_DEVICE_ERROR);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    assert_int_equal(atomic_load(&token.login_count), 3);
    runner_run(&b);
    assert_true(b.ok);
    pool_end(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reload_waits_for_no_operation, pool_setup),
        cmocka_unit_test_setup(a_reload_with_a_pin_that_is_refused, pool_setup),
        cmocka_unit_test_setup(a_pin_that_was_refused_is_not_tried_at_a_loss, pool_setup),
        cmocka_unit_test_setup(a_pin_that_is_refused_during_a_loss, pool_setup),
        cmocka_unit_test_setup(a_reload_without_a_pin, pool_setup),
        cmocka_unit_test_setup(a_reload_that_cannot_log_in_begins_anew, pool_setup),
    };
    return cmocka_run_group_tests(tests, pin_file_make, pin_file_remove);
}
