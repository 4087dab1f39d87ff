/* The journal as its callers see it: order, originals, segments, replay, what is refused. */
#include "fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_order(void **state)
{
    struct fixture *f = *state;
    struct sg_journal_record records[250];
    char text[32];
    f->options.feed_batch = 7;
    fixture_open(f, NULL);
    for (int i = 0; i < 250; i++) {
        snprintf(text, sizeof text, "{\"n\":%d}", i);
        records[i] = fixture_must_append(f, text, NULL);
        assert_string_equal(records[i].archive_ref, "");
    }
    fixture_drain(f);
    assert_int_equal(f->fed_count, 250);
    for (int i = 0; i < 250; i++) {
        snprintf(text, sizeof text, "{\"n\":%d}", i);
        assert_string_equal(f->fed[i].payload, text);
        assert_memory_equal(f->fed[i].id, records[i].id, SG_JOURNAL_RECORD_ID);
        assert_int_equal(f->fed[i].type, SG_JOURNAL_OUTCOME);
        assert_int_equal(f->fed[i].at, TEST_AT);
    }
    assert_int_equal(f->keys_made, 1);
    assert_int_equal(f->keys_opened, 1); /* tried when it was made; it was in memory */
}

/* A record alone is fed within the interval, without more of them and without a drain. */
static bool one_fed(void *ctx)
{
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->lock);
    bool so = f->fed_count == 1;
    pthread_mutex_unlock(&f->lock);
    return so;
}

static void test_interval(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, NULL);
    fixture_must_append(f, "{}", NULL);
    fixture_await(one_fed, f);
}

static void test_originals(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 10000, 131072, 262144, 300000, 1048576, 5000001};
    struct fixture *f = *state;
    fixture_open(f, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int noise = 0; noise < 2; noise++) {
            SG_AUTO_SPOOL original = fixture_original(f, sizes[i], noise);
            struct sg_journal_record r = fixture_must_append(f, "{\"mail\":1}", original);
            fixture_assert_original(f, r.archive_ref, original);
        }
    }
    fixture_drain(f);
    assert_int_equal(f->fed_count, 18);
    assert_int_equal(f->fed[0].type, SG_JOURNAL_RECEIVED);
    SG_AUTO_SPOOL last = fixture_original(f, 5000001, true);
    fixture_assert_original(f, f->fed[17].archive_ref, last);
}

static bool nowhere(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)ctx, (void)data, (void)len, (void)err;
    return true;
}

static void test_original_refused(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    struct sg_secret key = {0};
    const struct sg_sink sink = {nowhere, NULL};
    char path[160], id[32], node[SG_JOURNAL_NODE_MAX + 1];
    uint64_t number, offset;
    fixture_open(f, NULL);
    SG_AUTO_SPOOL original = fixture_original(f, 1000, false);
    struct sg_journal_record r = fixture_must_append(f, "{}", original);
    fixture_must_append(f, "{}", NULL);
    assert_true(sg_journal_ref_parse(r.archive_ref, node, &number, &offset, &err));
    fixture_segment_path(f, number, path);

    /* Another tenant's key, another day's key, a place between records, a record without one. */
    fixture_archive_key("ten_other", TEST_AT / SG_DAY, id, &key);
    assert_false(sg_journal_read_original(path, offset, &key, &sink, &err));
    assert_int_equal(err.code, SG_E_CRYPTO);
    fixture_archive_key(TEST_TENANT, TEST_AT / SG_DAY + 1, id, &key);
    assert_false(sg_journal_read_original(path, offset, &key, &sink, &err));
    assert_int_equal(err.code, SG_E_CRYPTO);
    fixture_archive_key(TEST_TENANT, TEST_AT / SG_DAY, id, &key);
    assert_false(sg_journal_read_original(path, offset + 1, &key, &sink, &err));
    assert_int_equal(err.code, SG_E_NOT_FOUND);
    assert_false(sg_journal_read_original(path, 1 << 30, &key, &sink, &err));
    assert_int_equal(err.code, SG_E_NOT_FOUND);
    assert_true(sg_journal_read_original(path, offset, &key, &sink, &err));
}

static void test_segments(void **state)
{
    struct fixture *f = *state;
    char text[64], path[160];
    struct stat st;
    f->options.segment_bytes = 4096;
    fixture_open(f, NULL);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "%d", i);
        fixture_must_append(f, text, NULL);
    }
    size_t segments = fixture_files(f, ".sgj");
    assert_in_range(segments, 7, 20);
    for (uint64_t n = 1; n <= segments; n++) {
        fixture_segment_path(f, n, path);
        assert_int_equal(stat(path, &st), 0);
        assert_in_range(st.st_size, 1, 4096);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    /* What is larger than a segment gets one of its own. */
    SG_AUTO_SPOOL original = fixture_original(f, 100000, true);
    struct sg_journal_record r = fixture_must_append(f, "large", original);
    fixture_must_append(f, "after", NULL);
    assert_int_equal(fixture_files(f, ".sgj"), segments + 2);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 202);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_string_equal(f->fed[i].payload, text);
    }
    fixture_assert_original(f, r.archive_ref, original);
}

static bool count_record(void *ctx, const struct sg_journal_entry *entry, struct sg_error *err)
{
    (void)entry;
    (void)err;
    ++*(size_t *)ctx;
    return true;
}

static void no_damage(void *ctx, uint64_t offset, uint64_t length, const char *what)
{
    (void)ctx;
    fail_msg("%s at %" PRIu64 ", %" PRIu64 " octets", what, offset, length);
}

/* Room is made ahead of small records, is no damage to who reads meanwhile, and is cut off at the
 * end. */
static void test_room(void **state)
{
    struct fixture *f = *state;
    char path[160];
    struct stat st;
    size_t records = 0;
    const struct sg_journal_reader reader = {&records, NULL, count_record, no_damage, false};
    struct sg_error err = {0};
    fixture_open(f, NULL);
    fixture_segment_path(f, 1, path);
    for (int i = 0; i < 40; i++)
        fixture_must_append(f, "small", NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 1 << 20);
    assert_true(sg_journal_read_segment(path, 0, &reader, &err));
    assert_int_equal(records, 40);
    fixture_drain(f);
    fixture_close(f);
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 1, 40 * 300);
    assert_int_equal(f->fed_count, 40);
}

static void test_reopen(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, NULL);
    fixture_close(f); /* nothing was ever written */
    fixture_open(f, NULL);
    fixture_must_append(f, "one", NULL);
    fixture_drain(f);
    fixture_close(f);
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    assert_int_equal(sg_journal_backlog(f->j), 0);
    fixture_must_append(f, "two", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
    assert_string_equal(f->fed[0].payload, "two");
    assert_int_equal(fixture_files(f, ".sgj"), 2); /* an old segment is never written again */
}

static bool feed_tried(void *ctx)
{
    struct fixture *f = ctx;
    return atomic_load(&f->feed_calls) >= 3;
}

/* A batch goes as soon as it is full and not before, however long the interval; and however many
 * records there are by then, no batch is larger. */
static bool seven_fed(void *ctx)
{
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->lock);
    bool so = f->fed_count == 7;
    pthread_mutex_unlock(&f->lock);
    return so;
}

static void test_batches(void **state)
{
    struct fixture *f = *state;
    f->options.feed_batch = 7;
    f->options.feed_interval_ms = 600000;
    fixture_open(f, NULL);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(atomic_load(&f->feed_calls), 0);
        fixture_must_append(f, "early", NULL);
    }
    fixture_await(seven_fed, f);
    assert_int_equal(atomic_load(&f->feed_calls), 1);
    assert_int_equal(atomic_load(&f->batch_most), 7);

    atomic_store(&f->feed_fails, true);
    atomic_store(&f->feed_calls, 0);
    for (int i = 0; i < 15; i++) /* two batches, and one record */
        fixture_must_append(f, "late", NULL);
    fixture_await(feed_tried, f);
    atomic_store(&f->feed_fails, false);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 7 + 15);
    assert_int_equal(atomic_load(&f->batch_most), 7);
}

static void test_feed_fails(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    char text[16];
    f->options.feed_batch = 4;
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "%d", i);
        fixture_must_append(f, text, NULL);
    }
    fixture_await(feed_tried, f);
    assert_int_equal(sg_journal_backlog(f->j), 30);
    assert_false(sg_journal_drain(f->j, 20, &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    atomic_store(&f->feed_fails, false);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 30);
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_string_equal(f->fed[i].payload, text);
    }
}

/* What is never taken holds up nothing, keeps the order of the rest, and is settled with it. */
static void test_set_aside(void **state)
{
    struct fixture *f = *state;
    const char *const bad[] = {"0", "13", "14", "29"};
    char text[16];
    f->refused = "bad";
    f->options.segment_bytes = 1024; /* several */
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "%d", i);
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++)
            if (strcmp(text, bad[b]) == 0)
                strcpy(text, "bad");
        fixture_must_append(f, text, NULL);
    }
    atomic_store(&f->feed_fails, false);
    fixture_drain(f);
    assert_int_equal(sg_journal_set_aside(f->j), 4);
    assert_int_equal(f->fed_count, 26);
    for (size_t i = 1; i < f->fed_count; i++)
        assert_true(atoi(f->fed[i - 1].payload) < atoi(f->fed[i].payload));
    fixture_close(f);

    /* They are tried again at each start. */
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    fixture_must_append(f, "30", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
    assert_int_equal(sg_journal_set_aside(f->j), 4);
    fixture_close(f);
    f->refused = NULL;
    fixture_fed_clear(f);
    for (int i = 0; i < 2; i++) {
        fixture_open(f, NULL);
        fixture_must_append(f, "31", NULL);
        fixture_drain(f);
        assert_int_equal(f->fed_count, 5 + i);
        assert_string_equal(f->fed[i ? 5 : 0].payload, i ? "31" : "bad");
        assert_int_equal(sg_journal_set_aside(f->j), 0);
        fixture_close(f);
    }
}

/* Nor where the place cannot be noted down is it passed over; and what is noted may be gone. */
static void test_set_aside_badly(void **state)
{
    struct fixture *f = *state;
    char path[160];
    f->refused = "bad";
    fixture_open(f, NULL);
    snprintf(path, sizeof path, "%s/set-aside", f->journal);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_must_append(f, "bad", NULL);
    fixture_must_append(f, "good", NULL);
    atomic_store(&f->feed_calls, 0);
    fixture_await(feed_tried, f);
    assert_int_equal(f->fed_count, 0);
    assert_int_equal(rmdir(path), 0);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
    fixture_close(f);

    static const char odd[] = "1 7\n999 0\n1 99999999\n1 18446744073709551615\n-1 1\n1 2 3\nx\n1 ";
    size_t len;
    uint8_t *noted = file_read(path, &len);
    FILE *list = fopen(path, "w");
    assert_non_null(list);
    fputs(odd, list);
    fwrite(noted, 1, len, list);
    fclose(list);
    free(noted);
    f->refused = NULL;
    fixture_open(f, NULL);
    fixture_must_append(f, "after", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 3);
    assert_string_equal(f->fed[1].payload, "bad");
    assert_string_equal(f->fed[2].payload, "after");
}

/* A journal with "bad" set aside in its first segment, and closed. */
static void one_set_aside(struct fixture *f)
{
    f->refused = "bad";
    fixture_open(f, NULL);
    fixture_must_append(f, "bad", NULL);
    fixture_must_append(f, "worse, bad", NULL);
    fixture_drain(f);
    fixture_close(f);
    f->refused = NULL;
}

/* What was set aside and cannot be read holds up nothing, neither what is new nor what the last run
 * left, and is tried again at the next start: its segment is opened once for all of it. */
static void test_set_aside_unopened(void **state)
{
    struct fixture *f = *state;
    one_set_aside(f);
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    fixture_must_append(f, "left", NULL);
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    atomic_store(&f->locked, 1);
    fixture_open(f, NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
    assert_string_equal(f->fed[0].payload, "left");
    fixture_must_append(f, "new", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 2);
    assert_int_equal(sg_journal_set_aside(f->j), 2);
    assert_in_range(atomic_load(&f->keys_refused), 1, 3);
    fixture_close(f);
    atomic_store(&f->locked, 0);
    atomic_store(&f->keys_opened, 0);
    fixture_open(f, NULL);
    fixture_must_append(f, "after", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 5);
    assert_string_equal(f->fed[2].payload, "bad");
    assert_int_equal(sg_journal_set_aside(f->j), 0);
    assert_int_equal(f->keys_opened, 2); /* and the new segment's was tried */
}

static bool two_set_aside(void *ctx)
{
    struct fixture *f = ctx;
    return sg_journal_set_aside(f->j) == 2;
}

static bool none_set_aside(void *ctx)
{
    struct fixture *f = ctx;
    return sg_journal_set_aside(f->j) == 0;
}

/* Where hsmd or the database is away at the start it is tried again later in that run. */
static void test_set_aside_away(void **state)
{
    struct fixture *f = *state;
    one_set_aside(f);
    for (int i = 0; i < 2; i++) {
        atomic_bool *away = i ? &f->feed_fails : &f->hsm_away;
        atomic_store(away, true);
        f->refused = i ? NULL : "bad";
        fixture_open(f, NULL);
        fixture_await(two_set_aside, f);
        atomic_store(away, false);
        fixture_must_append(f, "new", NULL);
        fixture_drain(f);
        assert_int_equal(f->fed_count, i + 1);
        pthread_mutex_lock(&f->j->lock);
        assert_in_range(f->j->feeder.aside_ms - sg_clock_monotonic_ms(), 1, 60000);
        f->j->feeder.aside_ms = 0;
        pthread_cond_signal(&f->j->feed);
        pthread_mutex_unlock(&f->j->lock);
        fixture_await(i ? none_set_aside : two_set_aside, f);
        fixture_close(f);
    }
    assert_int_equal(f->fed_count, 4);
}

/* A segment that is elsewhere for a while is not forgotten. */
static void test_set_aside_elsewhere(void **state)
{
    struct fixture *f = *state;
    char path[160], elsewhere[160];
    one_set_aside(f);
    fixture_segment_path(f, 1, path);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", f->dir);
    for (int there = 0; there < 2; there++) {
        assert_int_equal(there ? rename(elsewhere, path) : rename(path, elsewhere), 0);
        fixture_open(f, NULL);
        fixture_must_append(f, "new", NULL);
        fixture_drain(f);
        assert_int_equal(sg_journal_set_aside(f->j), there ? 0 : 2);
        assert_int_equal(f->fed_count, there ? 4 : 1);
        fixture_close(f);
    }
}

/* Often enough for all of a batch to have been tried. */
static bool feed_tried_often(void *ctx)
{
    struct fixture *f = ctx;
    return atomic_load(&f->feed_calls) >= 7;
}

/* A query that fails for one record, and for no other, fails for all of a batch: after a while that
 * one is looked for, and set aside where others beside it are taken. */
static void test_query_fails_for_one(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int from, count;
        size_t batch;
    } odd[] = {{0, 1, 20}, {0, 1, 100}, {19, 1, 20}, {7, 2, 100}, {18, 2, 20}, {18, 2, 100}};
    char text[16];
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        f->options.feed_batch = odd[i].batch;
        f->options.feed_interval_ms = 600000; /* all of them are of one batch */
        atomic_store(&f->odd, "odd");
        fixture_open(f, NULL);
        for (int n = 0; n < 20; n++) {
            bool is_odd = n >= odd[i].from && n < odd[i].from + odd[i].count;
            snprintf(text, sizeof text, is_odd ? "odd" : "%d", n);
            fixture_must_append(f, text, NULL);
        }
        fixture_drain(f);
        assert_int_equal(sg_journal_set_aside(f->j), odd[i].count);
        for (int n = 0; n < 20; n++) { /* some perhaps twice, as after a crash, but in order */
            bool is_odd = n >= odd[i].from && n < odd[i].from + odd[i].count, found = false;
            for (size_t k = 0; k < f->fed_count; k++)
                found |= atoi(f->fed[k].payload) == n && strcmp(f->fed[k].payload, "odd") != 0;
            assert_int_equal(found, !is_odd);
        }
        for (size_t k = 1; k < f->fed_count; k++)
            assert_true(atoi(f->fed[k - 1].payload) <= atoi(f->fed[k].payload));
        fixture_free(f);
        fixture_init(f);
    }
}

/* Where it is all of them, as far as is known, all wait. */
static void test_query_fails_for_all(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    atomic_store(&f->odd, "odd");
    fixture_open(f, NULL);
    fixture_must_append(f, "odd", NULL);
    fixture_must_append(f, "odd", NULL);
    atomic_store(&f->feed_calls, 0);
    fixture_await(feed_tried_often, f);
    assert_false(sg_journal_drain(f->j, 20, &err));
    assert_int_equal(sg_journal_set_aside(f->j), 0);
    fixture_must_append(f, "even", NULL);
    fixture_drain(f);
    assert_int_equal(sg_journal_set_aside(f->j), 2);
    assert_int_equal(f->fed_count, 1);
}

/* A right that is missing, for a while: all wait, and none is set aside. */
static void test_query_fails_for_a_while(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, NULL);
    atomic_store(&f->odd, "");
    fixture_must_append(f, "one", NULL);
    fixture_must_append(f, "two", NULL);
    fixture_await(feed_tried_often, f);
    atomic_store(&f->odd, NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 2);
    assert_int_equal(sg_journal_set_aside(f->j), 0);
}

/* Fewer records at once are quicker. */
static void test_feed_takes_too_long(void **state)
{
    struct fixture *f = *state;
    char text[16];
    f->slow = 3;
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "%d", i);
        fixture_must_append(f, text, NULL);
    }
    atomic_store(&f->feed_fails, false);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(atoi(f->fed[i].payload), i);
}

/* Closing does not wait for a database that is away; what was not fed is fed the next time. */
static void test_close_unfed(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 1024;
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    for (int i = 0; i < 20; i++)
        fixture_must_append(f, "record", NULL);
    fixture_await(feed_tried, f);
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    assert_int_equal(f->keys_opened, f->keys_made); /* tried */
    atomic_store(&f->keys_opened, 0);
    fixture_open(f, NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 20);
    assert_true(f->keys_opened > 1); /* every segment's, once */
    assert_in_range(f->keys_opened, 1, f->keys_made);
}

static void test_hsm_away(void **state)
{
    struct fixture *f = *state;
    struct sg_journal_record record;
    struct sg_error err = {0};
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    fixture_must_append(f, "before", NULL);
    fixture_close(f);

    atomic_store(&f->feed_fails, false);
    atomic_store(&f->hsm_away, true);
    fixture_open(f, NULL);
    assert_int_equal(sg_journal_backlog(f->j), 1);
    assert_false(fixture_append(f, "during", NULL, &record, &err));
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
    assert_false(sg_journal_drain(f->j, 20, &err));
    atomic_store(&f->hsm_away, false);
    fixture_must_append(f, "after", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 2);
    assert_string_equal(f->fed[0].payload, "before");
    assert_string_equal(f->fed[1].payload, "after");
}

/* An outcome of what was already delivered must not fail because a new segment is due. */
static void test_hsm_away_at_rotation(void **state)
{
    struct fixture *f = *state;
    struct sg_journal_record record;
    struct sg_error err = {0};
    f->options.segment_bytes = 4096;
    fixture_open(f, NULL);
    fixture_must_append(f, "first", NULL);
    atomic_store(&f->hsm_away, true);
    size_t more = 0;
    while (more < 1000 && fixture_append(f, "during", NULL, &record, &err))
        more++;
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
    assert_int_equal(fixture_files(f, ".sgj"), 1);
    assert_in_range(more * 130, 4096, 8192); /* twice the size, not endlessly */
    atomic_store(&f->hsm_away, false);
    fixture_must_append(f, "after", NULL);
    assert_int_equal(fixture_files(f, ".sgj"), 2);
    fixture_drain(f);
    assert_int_equal(f->fed_count, more + 2);
}

static bool key_make_other(void *ctx, const char *binding, struct sg_secret *key_r,
                           struct sg_buf *wrapped_r, struct sg_error *err)
{
    bool ok = fixture_key_make(ctx, binding, key_r, wrapped_r, err);
    key_r->data[31] ^= 1;
    return ok;
}

/* What could not be opened after a restart is not acknowledged. */
static void test_key_that_does_not_open(void **state)
{
    struct fixture *f = *state;
    struct sg_journal_record record;
    struct sg_error err = {0};
    f->options.keys.make = key_make_other;
    fixture_open(f, NULL);
    assert_false(fixture_append(f, "lost", NULL, &record, &err));
    assert_int_equal(err.code, SG_E_HSM_OPERATION);
    fixture_close(f);
    f->options.keys.make = fixture_key_make;
    atomic_store(&f->locked, 1);
    fixture_open(f, NULL);
    assert_false(fixture_append(f, "lost", NULL, &record, &err));
    assert_int_equal(err.code, SG_E_HSM_KEY);
    assert_int_equal(fixture_files(f, ".sgj"), 0);
    atomic_store(&f->locked, 0);
    fixture_must_append(f, "kept", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
}

static bool key_make_slowly(void *ctx, const char *binding, struct sg_secret *key_r,
                            struct sg_buf *wrapped_r, struct sg_error *err)
{
    struct fixture *f = ctx;
    if (atomic_load(&f->hsm_away))
        usleep(200000); /* as an hsmd that hangs, until its client has waited for long enough */
    return fixture_key_make(ctx, binding, key_r, wrapped_r, err);
}

/* Every append waits for the leader's try to begin a segment: one that takes long is seldom made.
 */
static void test_hsm_hangs_at_rotation(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 4096;
    f->options.keys.make = key_make_slowly;
    fixture_open(f, NULL);
    while (f->j->writer.tail <= 4096 - 134) /* a record that fits */
        fixture_must_append(f, "before", NULL);
    atomic_store(&f->hsm_away, true);
    fixture_must_append(f, "during", NULL); /* in the old one */
    assert_in_range(f->j->writer.retry_ms - sg_clock_monotonic_ms(), 1500, 60000);
    atomic_store(&f->hsm_away, false);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    struct sg_journal *other = NULL;
    struct sg_journal_options o = f->options;
    fixture_open(f, NULL);
    assert_false(sg_journal_open(&f->options, &other, &err));
    assert_int_equal(err.code, SG_E_JOURNAL); /* in use */
    assert_null(other);
    o.node = "no/de";
    assert_false(sg_journal_open(&o, &other, &err));
    assert_int_equal(err.code, SG_E_CONFIG);
    o.node = "n";
    o.dir = f->dir;
    assert_int_equal(chmod(f->dir, 0750), 0);
    assert_false(sg_journal_open(&o, &other, &err));
    assert_int_equal(err.code, SG_E_CONFIG);

    struct sg_journal_record r = {.type = SG_JOURNAL_OUTCOME, .at = TEST_AT};
    uint8_t *large = calloc(1, SG_JOURNAL_RECORD_MAX + 1);
    r.payload = sg_bytes_of(large, SG_JOURNAL_RECORD_MAX + 1);
    assert_false(sg_journal_append(f->j, &r, NULL, NULL, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    r.payload.len = SG_JOURNAL_RECORD_MAX;
    assert_true(sg_journal_append(f->j, &r, NULL, NULL, &err));
    fixture_drain(f);
    free(large);
}

/* How old what is not fed is said to be: never less than it is, and no more than since the last
 * time that all of what there was then was fed. */
static void test_age(void **state)
{
    struct sg_journal j = {0};
    (void)state;
    pthread_mutex_init(&j.lock, NULL);
    assert_int_equal(sg_journal_oldest_ms(&j), 0);
    journal_count_committed(&j, 1);
    j.oldest_ms = j.mark_ms -= 60000; /* which was a minute ago */
    journal_count_committed(&j, 2);
    assert_in_range(sg_journal_oldest_ms(&j), 60000, 90000);
    journal_count_fed(&j, 1); /* the others came some time since */
    assert_in_range(sg_journal_oldest_ms(&j), 60000, 90000);
    journal_count_committed(&j, 1);
    journal_count_fed(&j, 1);
    assert_in_range(sg_journal_oldest_ms(&j), 60000, 90000);
    journal_count_fed(&j, 1); /* the one that is left came after the first was fed */
    assert_in_range(sg_journal_oldest_ms(&j), 0, 30000);
    journal_count_fed(&j, 1);
    assert_int_equal(sg_journal_oldest_ms(&j), 0);
    j.mark_ms -= 60000;
    journal_count_committed(&j, 1);
    assert_in_range(sg_journal_oldest_ms(&j), 0, 30000);
    pthread_mutex_destroy(&j.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_age),
        cmocka_unit_test_setup_teardown(test_order, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_batches, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_interval, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_originals, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_original_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_room, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_segments, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_reopen, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_feed_fails, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_set_aside, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_set_aside_badly, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_set_aside_unopened, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_set_aside_away, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_set_aside_elsewhere, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_query_fails_for_one, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_query_fails_for_all, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_query_fails_for_a_while, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_feed_takes_too_long, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_close_unfed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_hsm_away, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_hsm_away_at_rotation, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_hsm_hangs_at_rotation, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_key_that_does_not_open, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
