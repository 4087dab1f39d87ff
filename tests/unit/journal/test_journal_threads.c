/* Many appenders at once: nothing lost, order kept per thread, syncs shared, time-outs. */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 16
#define EACH    100

static struct fixture *current; /* for the system calls below */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int syncs;     /* of records: the first sync of a segment is its head's */
    bool hold;     /* the first sync of records waits */
    bool reached;  /* … and has begun */
    bool released; /* … and may go on */
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, false, false};

static int sync_gated(int fd)
{
    pthread_mutex_lock(&gate.lock);
    if (gate.syncs++ == 1 && gate.hold) {
        gate.reached = true;
        pthread_cond_broadcast(&gate.changed);
        while (!gate.released)
            pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
    return fdatasync(fd);
}

static const struct journal_io gated = {pwrite, sync_gated, ftruncate};

static void gate_set(bool hold)
{
    pthread_mutex_lock(&gate.lock);
    gate.syncs = 0;
    gate.hold = hold;
    gate.reached = gate.released = false;
    pthread_mutex_unlock(&gate.lock);
}

static void gate_release(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.released = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static bool gate_reached(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&gate.lock);
    bool so = gate.reached;
    pthread_mutex_unlock(&gate.lock);
    return so;
}

static int setup(void **state)
{
    int rc = fixture_setup(state);
    current = *state;
    return rc;
}

struct worker {
    pthread_t thread;
    int number, count;
    struct sg_spool *original;
    int failed;
    char refs[EACH][96];
};

static void *work(void *ctx)
{
    struct worker *w = ctx;
    for (int i = 0; i < w->count; i++) {
        struct sg_journal_record r;
        struct sg_error err = {0};
        char text[32];
        snprintf(text, sizeof text, "%d %d", w->number, i);
        w->failed += !fixture_append(current, text, w->original, &r, &err);
        memcpy(w->refs[i], r.archive_ref, sizeof r.archive_ref);
    }
    return NULL;
}

static void workers_run(struct worker *w, int count)
{
    for (int i = 0; i < THREADS; i++) {
        w[i].number = i;
        w[i].count = count;
        assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
}

static void workers_join(struct worker *w)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].failed, 0);
    }
}

static void test_sixteen_threads(void **state)
{
    struct fixture *f = *state;
    struct worker *w = calloc(THREADS, sizeof *w);
    int next[THREADS] = {0};
    f->options.segment_bytes = 256 << 10;
    f->options.feed_batch = 50;
    gate_set(false);
    fixture_open(f, &gated);
    for (int i = 0; i < THREADS; i += 2) /* every other thread with an original, some large */
        w[i].original = fixture_original(f, i % 4 ? 3000 : 150000, true);
    workers_run(w, EACH);
    workers_join(w);
    fixture_drain(f);
    assert_int_equal(f->fed_count, THREADS * EACH);
    for (size_t i = 0; i < f->fed_count; i++) {
        int thread, n;
        assert_int_equal(sscanf(f->fed[i].payload, "%d %d", &thread, &n), 2);
        assert_int_equal(n, next[thread]++);
        assert_string_equal(f->fed[i].archive_ref, w[thread].refs[n]);
    }
    assert_true(fixture_files(f, ".sgj") > 10);
    for (int i = 0; i < THREADS; i += 2) {
        fixture_assert_original(f, w[i].refs[0], w[i].original);
        fixture_assert_original(f, w[i].refs[EACH - 1], w[i].original);
        sg_spool_free(&w[i].original);
    }
    free(w);
}

static bool fifteen_wait(void *ctx)
{
    struct sg_journal *j = ctx;
    size_t n = 0;
    pthread_mutex_lock(&j->lock);
    for (struct journal_append *a = j->queue; a; a = a->next)
        n++;
    pthread_mutex_unlock(&j->lock);
    return n == THREADS - 1;
}

/* While one sync lasts all others gather, and the next sync is theirs together. */
static void test_shared_sync(void **state)
{
    struct fixture *f = *state;
    struct worker *w = calloc(THREADS, sizeof *w);
    gate_set(true);
    fixture_open(f, &gated);
    w[0].count = 1;
    assert_int_equal(pthread_create(&w[0].thread, NULL, work, &w[0]), 0);
    fixture_await(gate_reached, NULL);
    for (int i = 1; i < THREADS; i++) {
        w[i].number = i;
        w[i].count = 1;
        assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
    fixture_await(fifteen_wait, f->j);
    assert_int_equal(sg_journal_backlog(f->j), 0); /* nothing counts before it is on disk */
    gate_release();
    workers_join(w);
    assert_int_equal(journal_syncs(f->j), 2);
    fixture_drain(f);
    assert_int_equal(f->fed_count, THREADS);
    free(w);
}

/* What was begun goes with whoever leads next, and nobody is made to lead who does not wait. */
static void test_begun(void **state)
{
    struct fixture *f = *state;
    struct sg_journal_record r[3];
    struct journal_append *begun[3];
    struct sg_error err = {0};
    gate_set(false);
    fixture_open(f, &gated);
    for (int i = 0; i < 3; i++) {
        r[i] = (struct sg_journal_record){
            .type = SG_JOURNAL_OUTCOME, .at = TEST_AT, .payload = sg_bytes_str("begun")};
        assert_true(sg_journal_begin(f->j, &r[i], NULL, NULL, &begun[i], &err));
    }
    assert_int_equal(journal_syncs(f->j), 0);
    fixture_must_append(f, "all", NULL);
    assert_int_equal(journal_syncs(f->j), 1);
    assert_int_equal(sg_journal_backlog(f->j), 4);
    for (int i = 2; i >= 0; i--)
        assert_true(sg_journal_finish(f->j, &begun[i], &err));
    assert_int_equal(journal_syncs(f->j), 1);
    assert_true(sg_journal_begin(f->j, &r[0], NULL, NULL, &begun[0], &err));
    assert_true(sg_journal_finish(f->j, &begun[0], &err)); /* alone: it leads itself */
    assert_int_equal(journal_syncs(f->j), 2);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 5);
}

/* One whose group cannot be synced hears so at its end, though it did not wait meanwhile. */
static int sync_never(int fd)
{
    (void)fd;
    errno = EIO;
    return gate.syncs++ == 0 ? 0 : -1;
}

static void test_begun_fails(void **state)
{
    static const struct journal_io broken = {pwrite, sync_never, ftruncate};
    struct fixture *f = *state;
    struct sg_journal_record r = {
        .type = SG_JOURNAL_OUTCOME, .at = TEST_AT, .payload = sg_bytes_str("begun")};
    struct sg_journal_record other;
    struct journal_append *begun;
    struct sg_error err = {0};
    gate_set(false);
    fixture_open(f, &broken);
    assert_true(sg_journal_begin(f->j, &r, NULL, NULL, &begun, &err));
    assert_false(fixture_append(f, "other", NULL, &other, &err));
    sg_error_reset(&err);
    assert_false(sg_journal_finish(f->j, &begun, &err));
    assert_int_equal(err.code, SG_E_JOURNAL);
    assert_int_equal(sg_journal_backlog(f->j), 0);
}

/* Who waits too long gives up, and what it would have written is never written. */
static void test_time_out(void **state)
{
    struct fixture *f = *state;
    struct worker *w = calloc(1, sizeof *w);
    struct sg_journal_record r;
    struct sg_error err = {0};
    f->options.append_timeout_ms = 50;
    gate_set(true);
    fixture_open(f, &gated);
    w->count = 1;
    assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
    fixture_await(gate_reached, NULL);
    assert_false(fixture_append(f, "late", NULL, &r, &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    gate_release();
    pthread_join(w->thread, NULL);
    assert_int_equal(w->failed, 0); /* what is being written is waited for */
    fixture_must_append(f, "after", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 2);
    assert_string_equal(f->fed[1].payload, "after");
    free(w);
}

static void *close_it(void *ctx)
{
    struct fixture *f = ctx;
    fixture_close(f);
    return NULL;
}

static bool stopping(void *ctx)
{
    struct sg_journal *j = ctx;
    pthread_mutex_lock(&j->lock);
    bool so = j->stopping;
    pthread_mutex_unlock(&j->lock);
    return so;
}

/* Closing waits for the append in flight and takes no more. */
static void test_close_in_flight(void **state)
{
    struct fixture *f = *state;
    struct worker *w = calloc(1, sizeof *w);
    struct sg_journal_record r = {.type = SG_JOURNAL_OUTCOME};
    struct sg_error err = {0};
    pthread_t closer;
    gate_set(true);
    fixture_open(f, &gated);
    struct sg_journal *j = f->j;
    w->count = 1;
    assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
    fixture_await(gate_reached, NULL);
    assert_int_equal(pthread_create(&closer, NULL, close_it, f), 0);
    fixture_await(stopping, j);
    assert_false(sg_journal_append(j, &r, NULL, NULL, &err));
    assert_int_equal(err.code, SG_E_SHUTDOWN);
    gate_release();
    pthread_join(w->thread, NULL);
    pthread_join(closer, NULL);
    assert_int_equal(w->failed, 0);
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    fixture_drain(f);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sixteen_threads, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_shared_sync, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_begun, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_begun_fails, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_time_out, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_close_in_flight, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
