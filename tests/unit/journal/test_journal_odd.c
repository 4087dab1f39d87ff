/* Any number of records in a row for which a query fails are set aside, where another is taken;
 * where none is, all wait. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH 20
#define MANY  50 /* more than two batches */

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *f = *state;
    f->options.feed_batch = BATCH;
    atomic_store(&f->odd, "odd");
    return rc;
}

static void append_many(struct fixture *f, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fixture_must_append(f, text, NULL);
}

/* It was taken, perhaps more than once. */
static bool is_fed(const struct fixture *f, const char *text)
{
    for (size_t i = 0; i < f->fed_count; i++)
        if (strcmp(f->fed[i].payload, text) == 0)
            return true;
    return false;
}

/* Of a run that goes on: one that was taken before is handed on again to see that it is. */
static void test_many_in_a_row(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, NULL);
    fixture_must_append(f, "before", NULL);
    fixture_drain(f);
    append_many(f, "odd", MANY);
    fixture_drain(f);
    assert_int_equal(sg_journal_set_aside(f->j), MANY);
    fixture_must_append(f, "after", NULL);
    fixture_drain(f);
    assert_true(is_fed(f, "after"));
    assert_int_equal(sg_journal_set_aside(f->j), MANY);
    fixture_close(f);

    atomic_store(&f->odd, NULL);
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    fixture_must_append(f, "later", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, MANY + 1); /* they were kept */
    assert_int_equal(sg_journal_set_aside(f->j), 0);
}

/* What is unfed at a start, behind some that are set aside already. */
static void unfed_append(struct fixture *f, size_t odd)
{
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    append_many(f, "odd", odd);
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
}

/* At a start nothing was taken yet: one that the last runs fed is read from the disk. */
static void test_many_in_a_row_at_a_start(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 1024; /* the last good one is some segments away */
    fixture_open(f, NULL);
    fixture_must_append(f, "before", NULL);
    fixture_drain(f);
    append_many(f, "odd", MANY);
    fixture_drain(f);
    fixture_close(f);
    unfed_append(f, MANY);
    fixture_open(f, NULL);
    fixture_drain(f);
    assert_in_range(sg_journal_set_aside(f->j), MANY, 2 * MANY); /* the old ones are being tried */
    fixture_close(f);
    atomic_store(&f->odd, NULL);
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    fixture_must_append(f, "later", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 2 * MANY + 1);
}

/* Nothing was ever taken out of this journal: all of the batch is asked. */
static void test_many_before_the_first(void **state)
{
    struct fixture *f = *state;
    unfed_append(f, BATCH - 1);
    fixture_open(f, NULL);
    fixture_must_append(f, "first", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
    assert_string_equal(f->fed[0].payload, "first");
    assert_int_equal(sg_journal_set_aside(f->j), BATCH - 1);
}

static bool feed_tried_often(void *ctx)
{
    struct fixture *f = ctx;
    return atomic_load(&f->feed_calls) >= 40;
}

/* It refuses all, for a reason of its own: none is set aside, be one known that it took or not. */
static void test_all_refused(void **state)
{
    struct fixture *f = *state;
    for (int restarted = 0; restarted < 2; restarted++) {
        atomic_store(&f->odd, NULL);
        fixture_open(f, NULL);
        fixture_must_append(f, "before", NULL);
        fixture_drain(f);
        atomic_store(&f->odd, "");
        append_many(f, "unfed", MANY);
        if (restarted) {
            fixture_close(f);
            fixture_open(f, NULL);
        }
        atomic_store(&f->feed_calls, 0);
        fixture_await(feed_tried_often, f);
        assert_int_equal(sg_journal_set_aside(f->j), 0);
        assert_int_equal(sg_journal_backlog(f->j), MANY);
        atomic_store(&f->odd, NULL);
        fixture_drain(f);
        assert_int_equal(sg_journal_set_aside(f->j), 0);
        assert_int_equal(f->fed_count, MANY + 1);
        fixture_free(f);
        fixture_init(f);
        f->options.feed_batch = BATCH;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_in_a_row, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_many_in_a_row_at_a_start, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_many_before_the_first, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_all_refused, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
