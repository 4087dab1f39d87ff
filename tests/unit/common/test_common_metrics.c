/* common/metrics and common/watch: what is counted, and that it is written as Prometheus reads it.
 */
#include "cmocka_all.h"

#include "common/metrics.h"
#include "common/wait.h"
#include "common/watch.h"

static const char *const outcomes[] = {"delivered", "held", "other", NULL};
static const char *const sides[] = {"in", "out", NULL};
static const char *const odd[] = {"quote\" back\\ line\n", NULL};
static const int64_t bounds[] = {10, 100, 0};

static struct sg_metric counter = {.name = "c_total",
                                   .help = "Counted.",
                                   .labels = {"side", "outcome"},
                                   .values = {sides, outcomes},
                                   .cells = SG_CELLS(6),
                                   .cell_count = 6};
static struct sg_metric gauge = {.name = "g_seconds",
                                 .help = "A gauge.",
                                 .type = SG_GAUGE,
                                 .unit = 1000,
                                 .labels = {"odd"},
                                 .values = {odd},
                                 .cells = SG_CELLS(1),
                                 .cell_count = 1};
static struct sg_metric histogram = {.name = "h_seconds",
                                     .help = "A histogram.",
                                     .type = SG_HISTOGRAM,
                                     .unit = 1000,
                                     .bounds = bounds,
                                     .cells = SG_CELLS(4),
                                     .cell_count = 4};

static void test_text(void **state)
{
    (void)state;
    struct sg_metric *const list[] = {&counter, &gauge, &histogram, NULL};
    assert_int_equal(sg_metric_cells(&counter), 6);
    assert_int_equal(sg_metric_cells(&histogram), 4);
    sg_metric_add(&counter, 1, sg_metric_value(outcomes, "held"), 2);
    sg_metric_add(&counter, 0, sg_metric_value(outcomes, "never heard of"), 1);
    sg_metric_set(&gauge, 0, 0, -1500);
    sg_metric_observe(&histogram, 0, 0, 10);
    sg_metric_observe(&histogram, 0, 0, 11);
    sg_metric_observe(&histogram, 0, 0, 500);
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    sg_metrics_write(&out, list);
    assert_string_equal((const char *)out.data,
                        "# HELP c_total Counted.\n# TYPE c_total counter\n"
                        "c_total{side=\"in\",outcome=\"delivered\"} 0\n"
                        "c_total{side=\"in\",outcome=\"held\"} 0\n"
                        "c_total{side=\"in\",outcome=\"other\"} 1\n"
                        "c_total{side=\"out\",outcome=\"delivered\"} 0\n"
                        "c_total{side=\"out\",outcome=\"held\"} 2\n"
                        "c_total{side=\"out\",outcome=\"other\"} 0\n"
                        "# HELP g_seconds A gauge.\n# TYPE g_seconds gauge\n"
                        "g_seconds{odd=\"quote\\\" back\\\\ line\\n\"} -1.5\n"
                        "# HELP h_seconds A histogram.\n# TYPE h_seconds histogram\n"
                        "h_seconds_bucket{le=\"0.01\"} 1\n"
                        "h_seconds_bucket{le=\"0.1\"} 2\n"
                        "h_seconds_bucket{le=\"+Inf\"} 3\n"
                        "h_seconds_sum 0.521\n"
                        "h_seconds_count 3\n");
}

/* Whatever place is asked for, nothing beyond the cells is written. */
static void test_places(void **state)
{
    (void)state;
    _Atomic int64_t cells[8] = {0};
    struct sg_metric m = {.name = "m",
                          .help = "m",
                          .labels = {"outcome"},
                          .values = {outcomes},
                          .cells = cells,
                          .cell_count = 2}; /* one too few */
    sg_metric_add(&m, 2, 0, 1);
    sg_metric_add(&m, 3, 0, 1);
    sg_metric_add(&m, 0, 1, 1);
    sg_metric_add(&m, sg_metric_value(sides, "nowhere"), 0, 1);
    sg_metric_observe(&m, SIZE_MAX, SIZE_MAX, 1);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(atomic_load(&cells[i]), 0);
    assert_int_equal(sg_metric_value(sides, "nowhere"), SIZE_MAX);
    assert_int_equal(sg_metric_value(sides, NULL), SIZE_MAX);
}

static void test_seconds(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < SG_SECONDS_BOUNDS; i++)
        assert_true(sg_seconds_bounds[i] < sg_seconds_bounds[i + 1]);
    assert_int_equal(sg_seconds_bounds[SG_SECONDS_BOUNDS], 0);
}

#define THREADS 4
#define ROUNDS  20000

static void *count(void *arg)
{
    struct sg_watch watch;
    (void)arg;
    sg_watch_enter(&watch, "counting", 1000000);
    for (int i = 0; i < ROUNDS; i++) {
        sg_watch_begin(&watch);
        sg_metric_add(&counter, 0, 0, 1);
        sg_watch_end(&watch);
    }
    sg_watch_leave(&watch);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct sg_watch_state states[SG_WATCH_NAMES];
    int64_t before = sg_metric_get(&counter, 0, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 100; i++)
        sg_watch_states(states);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sg_metric_get(&counter, 0, 0) - before, THREADS * ROUNDS);
    assert_int_equal(sg_watch_states(states), 0);
}

static void test_watch(void **state)
{
    (void)state;
    struct sg_watch idle, busy, stuck;
    struct sg_watch_state states[SG_WATCH_NAMES];
    sg_watch_enter(&idle, "worker", 1000);
    sg_watch_enter(&busy, "worker", 60000);
    sg_watch_enter(&stuck, "feeder", 1);
    sg_watch_begin(&busy);
    sg_watch_begin(&stuck);
    atomic_fetch_sub(&stuck.since_ms, 5);
    assert_int_equal(sg_watch_states(states), 2);
    for (int i = 0; i < 2; i++) {
        bool feeder = strcmp(states[i].name, "feeder") == 0;
        assert_int_equal(states[i].threads, feeder ? 1 : 2);
        assert_int_equal(states[i].busy, 1);
        assert_int_equal(states[i].stuck, feeder ? 1 : 0);
    }
    sg_watch_leave(&busy);
    sg_watch_leave(&idle);
    sg_watch_leave(&stuck);
    assert_int_equal(sg_watch_states(states), 0);
}

static void test_wait(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    sg_cond_init(&cond);
    pthread_mutex_lock(&lock);
    int64_t began = sg_clock_monotonic_ms();
    sg_deadline deadline = sg_deadline_in(30);
    while (sg_cond_wait(&cond, &lock, deadline))
        ;
    assert_true(sg_clock_monotonic_ms() - began >= 29);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_places),
        cmocka_unit_test(test_seconds), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_watch),   cmocka_unit_test(test_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
