/* A segment whose key no longer opens holds up all, until an operator gives it up: then its records
 * are set aside, and fed when the key is there again. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS 30

static size_t records_append(struct fixture *f)
{
    char text[16];
    size_t of_second = 0;
    f->options.segment_bytes = 1024;
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    for (int i = 0; i < RECORDS; i++) {
        snprintf(text, sizeof text, "%d", i);
        fixture_must_append(f, text, NULL);
        of_second += f->j->writer.segment->number == 2;
    }
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    assert_true(of_second > 1 && fixture_files(f, ".sgj") > 3);
    return of_second;
}

static void give_up(const struct fixture *f, unsigned number)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%016u.give-up", f->journal, number);
    file_write(path, (const uint8_t *)"", 0);
}

static bool refused_often(void *ctx)
{
    struct fixture *f = ctx;
    return atomic_load(&f->keys_refused) >= 3;
}

/* It was tried some times since, and nothing of it is passed over. */
static void assert_waits(struct fixture *f)
{
    atomic_store(&f->keys_refused, 0);
    fixture_await(refused_often, f);
    assert_int_equal(sg_journal_set_aside(f->j), 0);
    assert_true(sg_journal_backlog(f->j) > 0);
}

static void assert_in_order(const struct fixture *f, size_t count)
{
    assert_int_equal(f->fed_count, count);
    for (size_t i = 1; i < count; i++)
        assert_true(atoi(f->fed[i - 1].payload) < atoi(f->fed[i].payload));
}

static void test_given_up(void **state)
{
    struct fixture *f = *state;
    char path[160];
    size_t of_second = records_append(f), len, len_after;
    fixture_segment_path(f, 2, path);
    uint8_t *before = file_read(path, &len);
    atomic_store(&f->locked, 2);
    fixture_open(f, NULL);
    assert_waits(f);
    give_up(f, 1);
    give_up(f, 3);
    assert_waits(f); /* of others nobody has asked */
    atomic_store(&f->hsm_away, true);
    give_up(f, 2);
    assert_waits(f); /* that hsmd is away passes */
    atomic_store(&f->hsm_away, false);
    fixture_drain(f);
    assert_in_order(f, RECORDS - of_second);
    assert_int_equal(sg_journal_set_aside(f->j), of_second);
    fixture_close(f);

    uint8_t *after = file_read(path, &len_after);
    assert_int_equal(len_after, len);
    assert_memory_equal(after, before, len);
    free(before);
    free(after);

    for (int opens = 0; opens < 2; opens++) { /* at a start it is tried again */
        fixture_fed_clear(f);
        atomic_store(&f->locked, opens ? 0 : 2);
        fixture_open(f, NULL);
        fixture_must_append(f, "99", NULL);
        fixture_drain(f);
        assert_int_equal(sg_journal_set_aside(f->j), opens ? 0 : of_second);
        assert_int_equal(f->fed_count, opens ? 1 + of_second : 1);
        fixture_close(f);
    }
}

/* Where it cannot be noted which they are, it goes on holding up all. */
static void test_given_up_and_not_noted(void **state)
{
    struct fixture *f = *state;
    char path[160];
    size_t of_second = records_append(f);
    snprintf(path, sizeof path, "%s/set-aside", f->journal);
    assert_int_equal(mkdir(path, 0700), 0);
    atomic_store(&f->locked, 2);
    give_up(f, 2);
    fixture_open(f, NULL);
    assert_waits(f);
    assert_int_equal(rmdir(path), 0);
    fixture_drain(f);
    assert_in_order(f, RECORDS - of_second);
    assert_int_equal(sg_journal_set_aside(f->j), of_second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_given_up, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_given_up_and_not_noted, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
