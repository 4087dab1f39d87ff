/* A disk that cannot read what it was given, or gives back other octets: it is read around, and the
 * rest is fed. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A place of a file that cannot be read, for whoever of the process reads it. */
static struct {
    atomic_ullong inode, from, to; /* 0: none */
    atomic_ullong apart; /* of these a second one begins so far behind the first; 0: none */
} bad;

ssize_t __real_pread(int fd, void *data, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t len, off_t offset);
ssize_t __wrap___pread_chk(int fd, void *data, size_t len, off_t offset, size_t most);

static atomic_llong octets_read;

ssize_t __wrap_pread(int fd, void *data, size_t len, off_t offset)
{
    struct stat st;
    atomic_fetch_add(&octets_read, (long long)len);
    unsigned long long inode = atomic_load(&bad.inode), from = atomic_load(&bad.from),
                       at = (unsigned long long)offset;
    if (at >= atomic_load(&bad.to)) /* the second of two, alike */
        from += atomic_load(&bad.apart);
    if (inode && fstat(fd, &st) == 0 && st.st_ino == inode &&
        at < from + atomic_load(&bad.to) - atomic_load(&bad.from)) {
        if (at >= from) {
            errno = EIO;
            return -1;
        }
        len = len < from - at ? len : from - at;
    }
    return __real_pread(fd, data, len, offset);
}

/* What the compiler may make of it (_FORTIFY_SOURCE). */
ssize_t __wrap___pread_chk(int fd, void *data, size_t len, off_t offset, size_t most)
{
    if (len > most)
        abort();
    return __wrap_pread(fd, data, len, offset);
}

static int64_t faults(enum journal_fault kind)
{
    return sg_metric_get(sg_journal_metrics[0], kind, 0);
}

#define BIG      3000 /* octets of a payload: some blocks have the end of one and of no other */
#define PATIENCE 400
/* Beside the pauses between tries, which double, it is most of the time. */
#define PATIENCE_LONG 3000

struct unread {
    uint64_t ends[10]; /* of the records */
    char path[160];
    uint8_t *data; /* the segment as it was left, unfed */
    size_t len;
};

static const char *payload(unsigned n)
{
    static char text[10][BIG + 1];
    memset(text[n], 'a' + (int)n, BIG);
    return text[n];
}

static void ten_append(struct fixture *f, struct unread *u)
{
    fixture_segment_path(f, 1, u->path);
    for (unsigned i = 0; i < 10; i++) {
        fixture_must_append(f, payload(i), NULL);
        pthread_mutex_lock(&f->j->lock);
        u->ends[i] = f->j->writer.segment->end;
        pthread_mutex_unlock(&f->j->lock);
    }
}

static struct unread ten_unfed(struct fixture *f)
{
    struct unread u;
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    ten_append(f, &u);
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    u.data = file_read(u.path, &u.len);
    f->options.unreadable_ms = PATIENCE;
    return u;
}

/* As a kill leaves it: with room that was made for what was to come. */
static struct unread ten_killed(struct fixture *f)
{
    struct unread u = ten_unfed(f);
    free(u.data);
    assert_int_equal(truncate(u.path, 200000), 0);
    u.data = file_read(u.path, &u.len);
    return u;
}

static void assert_untouched(const struct fixture *f, struct unread *u)
{
    size_t len;
    uint8_t *now = file_read(u->path, &len);
    assert_int_equal(len, u->len);
    assert_memory_equal(now, u->data, len);
    assert_int_equal(fixture_files(f, ".torn"), 0);
    free(now);
    free(u->data);
}

/* Those of the ten were fed that lie before from or from to on, in order; and others than they not.
 */
static void assert_fed_but(const struct fixture *f, const struct unread *u, uint64_t from,
                           uint64_t to)
{
    size_t at = 0;
    for (unsigned i = 0; i < 10; i++) {
        uint64_t start = i ? u->ends[i - 1] : u->ends[0] - (u->ends[1] - u->ends[0]);
        if (start < to && u->ends[i] > from)
            continue;
        assert_true(at < f->fed_count);
        assert_string_equal(f->fed[at++].payload, payload(i));
    }
    assert_int_equal(f->fed_count, at);
}

static void bad_block(const char *path, uint64_t from, uint64_t to)
{
    struct stat st = {0};
    if (path)
        assert_int_equal(stat(path, &st), 0);
    atomic_store(&bad.from, from);
    atomic_store(&bad.to, to);
    atomic_store(&bad.inode, st.st_ino);
}

/* It stays so: passed over after some patience, during which who waits for all of the last run
 * waits; the records around it are fed, and the file is left as it is. */
static void test_unreadable_at_start(void **state)
{
    static const uint64_t places[][2] = {{8192, 12288}, {8192, 16384}, {12288, 100000}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct sg_error err = {0};
        struct unread u = ten_killed(f);
        bad_block(u.path, places[i][0], places[i][1]);
        int64_t damaged = faults(JOURNAL_DAMAGED), began = sg_clock_monotonic_ms();
        fixture_open(f, NULL);
        assert_true(faults(JOURNAL_NOT_READ) > 0);
        if (!sg_journal_drain(f->j, 30000, &err))
            fail_msg("%s", err.detail);
        assert_true(sg_clock_monotonic_ms() - began >= PATIENCE);
        assert_int_equal(sg_journal_backlog(f->j), 0);
        assert_int_equal(faults(JOURNAL_DAMAGED), damaged + 1);
        assert_fed_but(f, &u, places[i][0], places[i][1]);
        fixture_must_append(f, "after", NULL);
        fixture_drain(f);
        assert_string_equal(f->fed[f->fed_count - 1].payload, "after");
        fixture_close(f);
        bad_block(NULL, 0, 0);
        assert_untouched(f, &u);
        fixture_free(f);
        fixture_init(f);
    }
}

/* Two places: one bad block is seldom alone, and the patience is for all of a segment. */
static void test_unreadable_twice(void **state)
{
    struct fixture *f = *state;
    struct unread u = ten_killed(f);
    f->options.unreadable_ms = PATIENCE_LONG;
    atomic_store(&bad.apart, 12288);
    bad_block(u.path, 8192, 12288);
    int64_t damaged = faults(JOURNAL_DAMAGED), began = sg_clock_monotonic_ms();
    fixture_open(f, NULL);
    fixture_drain(f);
    int64_t took = sg_clock_monotonic_ms() - began;
    assert_int_equal(faults(JOURNAL_DAMAGED), damaged + 2);
    assert_string_equal(f->fed[f->fed_count - 1].payload, payload(9));
    fixture_close(f);
    bad_block(NULL, 0, 0);
    atomic_store(&bad.apart, 0);
    assert_untouched(f, &u);
    print_message("two places after %lld ms\n", (long long)took);
    assert_true(took >= PATIENCE_LONG && took < 2 * PATIENCE_LONG);
}

/* It was so for a moment: nothing is passed over, wherever it was, and all are fed. */
static void test_unreadable_for_a_moment(void **state)
{
    static const uint64_t places[][2] = {{0, 4096}, {8192, 12288}, {12288, 100000}, {0, 100000}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct unread u = ten_killed(f);
        f->options.unreadable_ms = 30000;
        bad_block(u.path, places[i][0], places[i][1]);
        int64_t damaged = faults(JOURNAL_DAMAGED);
        fixture_open(f, NULL);
        struct sg_error err = {0};
        assert_false(sg_journal_drain(f->j, 50, &err)); /* it is not taken for fed */
        bad_block(NULL, 0, 0);
        fixture_drain(f);
        assert_fed_but(f, &u, 0, 0);
        assert_int_equal(faults(JOURNAL_DAMAGED), damaged);
        fixture_close(f);
        assert_untouched(f, &u);
        fixture_free(f);
        fixture_init(f);
    }
}

/* While it runs: appends go on, and the feed after some patience. */
static void test_unreadable_while_running(void **state)
{
    struct fixture *f = *state;
    struct unread u;
    f->options.unreadable_ms = PATIENCE;
    fixture_open(f, NULL);
    fixture_must_append(f, "before", NULL);
    fixture_drain(f);
    fixture_fed_clear(f);
    fixture_segment_path(f, 1, u.path);
    bad_block(u.path, 8192, 12288);
    int64_t damaged = faults(JOURNAL_DAMAGED);
    ten_append(f, &u);
    fixture_drain(f);
    bad_block(NULL, 0, 0);
    assert_int_equal(faults(JOURNAL_DAMAGED), damaged + 1);
    assert_fed_but(f, &u, 8192, 12288);
}

/* The head: with it the segment's key is lost, as where it is damaged. */
static void test_head_unreadable(void **state)
{
    struct fixture *f = *state;
    struct unread u = ten_unfed(f);
    bad_block(u.path, 0, 4096);
    fixture_open(f, NULL);
    fixture_must_append(f, "after", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
    assert_string_equal(f->fed[0].payload, "after");
    bad_block(NULL, 0, 0);
    assert_untouched(f, &u);
}

static void test_position_unreadable(void **state)
{
    struct fixture *f = *state;
    char path[160];
    fixture_open(f, NULL);
    fixture_must_append(f, "one", NULL);
    fixture_drain(f);
    fixture_close(f);
    fixture_fed_clear(f);
    snprintf(path, sizeof path, "%s/position", f->journal);
    bad_block(path, 0, 4096);
    fixture_open(f, NULL);
    fixture_drain(f);
    bad_block(NULL, 0, 0);
    assert_int_equal(f->fed_count, 1);
}

/* More than a bad block or some: a disk that is gone is not read around, and is said. */
static void test_disk_unreadable(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    char path[160];
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    SG_AUTO_SPOOL original = fixture_original(f, 5 << 20, true);
    fixture_must_append(f, "one", original);
    fixture_must_append(f, "two", NULL);
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    fixture_segment_path(f, 1, path);
    bad_block(path, 8192, 8192 + (5 << 20) - 4096);
    assert_false(sg_journal_open(&f->options, &f->j, &err));
    assert_int_equal(err.lib_code, EIO);
    bad_block(path, 8192, 8192 + (1 << 20));
    f->options.unreadable_ms = 0;
    fixture_open(f, NULL);
    fixture_drain(f);
    bad_block(NULL, 0, 0);
    assert_int_equal(f->fed_count, 1);
    assert_string_equal(f->fed[0].payload, "two");
}

/* Of the segment that is being written: what was acknowledged is fed all the same, and what comes
 * then is not written behind a head without which nobody could open it after a crash. */
static void test_head_damaged_while_running(void **state)
{
    struct fixture *f = *state;
    char path[160];
    for (int how = 0; how < 3; how++) {
        f->options.feed_interval_ms = 600000; /* the feeder reads nothing before it is asked to */
        fixture_open(f, NULL);
        for (unsigned i = 0; i < 3; i++)
            fixture_must_append(f, payload(i), NULL);
        fixture_segment_path(f, 1, path);
        int64_t headless = faults(JOURNAL_HEADLESS), damaged = faults(JOURNAL_DAMAGED);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        if (how == 0)
            assert_int_equal(pwrite(fd, "?", 1, 20), 1);
        else if (how == 1)
            bad_block(path, 0, 8);
        else
            assert_int_equal(unlink(path), 0);
        close(fd);
        fixture_drain(f);
        bad_block(NULL, 0, 0);
        fixture_must_append(f, "after", NULL);
        assert_int_equal(fixture_files(f, ".sgj"), how == 2 ? 1 : 2);
        fixture_drain(f);
        assert_int_equal(f->fed_count, how == 2 ? 1 : 4);
        assert_string_equal(f->fed[f->fed_count - 1].payload, "after");
        assert_int_equal(faults(JOURNAL_HEADLESS), headless + (how < 2));
        assert_int_equal(faults(JOURNAL_DAMAGED), damaged + (how == 2));
        for (unsigned i = 0; how < 2 && i < 3; i++)
            assert_string_equal(f->fed[i].payload, payload(i));
        fixture_free(f);
        fixture_init(f);
    }
}

/* A backlog of a month has large originals, which are not read before gatewayd is ready: of the
 * segment alone that was written last, where one may be torn. A record whose original is damaged
 * there counts all the same. */
static void test_originals_jumped_over(void **state)
{
    struct fixture *f = *state;
    char path[160];
    f->options.segment_bytes = 4096;
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    SG_AUTO_SPOOL original = fixture_original(f, 5 << 20, true);
    fixture_must_append(f, "one", original);
    fixture_must_append(f, "two", NULL);
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    fixture_segment_path(f, 1, path);
    for (int damaged = 0; damaged < 2; damaged++) {
        atomic_store(&f->hsm_away, true); /* so that the feeder reads nothing meanwhile */
        atomic_store(&octets_read, 0);
        fixture_open(f, NULL);
        assert_in_range(atomic_load(&octets_read), 1, 256 << 10);
        assert_int_equal(sg_journal_backlog(f->j), 2);
        if (!damaged) {
            fixture_close(f);
            size_t len;
            uint8_t *data = file_read(path, &len);
            data[len / 2] ^= 1;
            file_write(path, data, len);
            free(data);
        }
    }
    atomic_store(&f->hsm_away, false);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 2);
    assert_string_equal(f->fed[0].payload, "one");
    assert_string_equal(f->fed[1].payload, "two");
}

/* What `dd conv=noerror,sync` or ddrescue make of it, put in the place of the segment at a start.
 */
static void test_block_of_zeros(void **state)
{
    struct fixture *f = *state;
    for (uint64_t at = 4096; at + 4096 < 9 * BIG; at += 4096) { /* behind it is a good one */
        struct unread u = ten_unfed(f);
        memset(u.data + at, 0, 4096);
        assert_int_equal(unlink(u.path), 0);
        file_write(u.path, u.data, u.len);
        int64_t damaged = faults(JOURNAL_DAMAGED);
        fixture_open(f, NULL);
        fixture_drain(f);
        assert_int_equal(faults(JOURNAL_DAMAGED), damaged + 2); /* at the start, and when fed */
        assert_fed_but(f, &u, at, at + 4096);
        fixture_close(f);
        assert_untouched(f, &u);
        fixture_free(f);
        fixture_init(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unreadable_at_start, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_twice, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_for_a_moment, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_while_running, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_head_unreadable, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_position_unreadable, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_disk_unreadable, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_head_damaged_while_running, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_originals_jumped_over, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_block_of_zeros, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
