/* A disk that is full, fails, or lies: what cannot be written is refused, what was kept stays. */
#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the next calls do; reset by themselves. */
static atomic_int write_fails; /* so many writes fail with ENOSPC, after half of their bytes */
static atomic_int sync_fails;  /* so many syncs fail with EIO */
static atomic_int cut_fails;   /* so many truncations fail with EIO */
static atomic_llong room = -1; /* octets until ENOSPC; -1: any */

static bool due(atomic_int *n)
{
    return atomic_load(n) > 0 && atomic_fetch_sub(n, 1) > 0;
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    static atomic_bool half;
    if (atomic_exchange(&half, false)) {
        errno = ENOSPC;
        return -1;
    }
    if (due(&write_fails)) {
        atomic_store(&half, true);
        return pwrite(fd, data, len / 2, offset);
    }
    long long left = atomic_load(&room);
    if (left == 0) {
        errno = ENOSPC;
        return -1;
    }
    if (left > 0 && (size_t)left < len)
        len = (size_t)left;
    ssize_t n = pwrite(fd, data, len, offset);
    if (left > 0 && n > 0)
        atomic_fetch_sub(&room, n);
    return n;
}

static int faulty_fdatasync(int fd)
{
    if (due(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return fdatasync(fd);
}

static int faulty_ftruncate(int fd, off_t length)
{
    if (due(&cut_fails)) {
        errno = EIO;
        return -1;
    }
    return ftruncate(fd, length);
}

static const struct journal_io faulty = {faulty_pwrite, faulty_fdatasync, faulty_ftruncate};

static void must_fail(struct fixture *f, const char *text, const struct sg_spool *original,
                      int expected_errno)
{
    struct sg_journal_record r;
    struct sg_error err = {0};
    assert_false(fixture_append(f, text, original, &r, &err));
    assert_int_equal(err.code, SG_E_JOURNAL);
    assert_int_equal(err.lib, SG_LIB_ERRNO);
    assert_int_equal(err.lib_code, expected_errno);
    assert_string_equal(r.archive_ref, "");
}

static void assert_fed(struct fixture *f, const char *const *expected)
{
    size_t n = 0;
    fixture_drain(f);
    for (; expected[n]; n++) {
        assert_true(n < f->fed_count);
        assert_string_equal(f->fed[n].payload, expected[n]);
    }
    assert_int_equal(f->fed_count, n);
}

static bool count(void *ctx, const struct sg_journal_entry *e, struct sg_error *err)
{
    (void)e, (void)err;
    ++*(size_t *)ctx;
    return true;
}

static void no_damage(void *ctx, uint64_t offset, uint64_t length, const char *what)
{
    (void)ctx;
    print_error("%s at %llu+%llu\n", what, (unsigned long long)offset, (unsigned long long)length);
    abort();
}

/* The records of a segment, which must be without damage. */
static size_t records_of(const struct fixture *f, uint64_t number)
{
    size_t n = 0;
    char path[160];
    struct sg_error err = {0};
    const struct sg_journal_reader reader = {&n, NULL, count, no_damage, false};
    fixture_segment_path(f, number, path);
    if (!sg_journal_read_segment(path, 0, &reader, &err))
        fail_msg("%s", err.detail);
    return n;
}

static int64_t faults(enum journal_fault kind)
{
    return sg_metric_get(sg_journal_metrics[0], kind, 0);
}

static void test_write_fails(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, &faulty);
    fixture_must_append(f, "one", NULL);
    atomic_store(&write_fails, 1);
    int64_t before = faults(JOURNAL_WRITE);
    must_fail(f, "lost", NULL, ENOSPC);
    assert_int_equal(faults(JOURNAL_WRITE), before + 1);
    fixture_must_append(f, "two", NULL);
    assert_int_equal(fixture_files(f, ".sgj"), 1); /* cut back, and gone on with */
    assert_int_equal(records_of(f, 1), 2);
    assert_fed(f, (const char *const[]){"one", "two", NULL});
}

static void test_write_and_cut_fail(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, &faulty);
    fixture_must_append(f, "one", NULL);
    atomic_store(&write_fails, 1);
    atomic_store(&cut_fails, 2);
    must_fail(f, "lost", NULL, ENOSPC);
    fixture_must_append(f, "two", NULL);
    assert_int_equal(fixture_files(f, ".sgj"), 2); /* left for a new one */
    assert_fed(f, (const char *const[]){"one", "two", NULL});
    fixture_close(f);
    fixture_open(f, NULL); /* the torn tail is before the position: nothing of it is fed */
    assert_fed(f, (const char *const[]){"one", "two", NULL});
}

static void test_sync_fails(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, &faulty);
    fixture_must_append(f, "one", NULL);
    atomic_store(&sync_fails, 1);
    int64_t before = faults(JOURNAL_SYNC);
    must_fail(f, "lost", NULL, EIO);
    assert_int_equal(faults(JOURNAL_SYNC), before + 1);
    fixture_must_append(f, "two", NULL);
    assert_int_equal(fixture_files(f, ".sgj"), 2); /* never trusted again */
    assert_int_equal(records_of(f, 1), 1);
    assert_int_equal(records_of(f, 2), 1);
    assert_fed(f, (const char *const[]){"one", "two", NULL});
}

static void test_new_segment_fails(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, &faulty);
    atomic_store(&sync_fails, 1); /* of the head */
    must_fail(f, "lost", NULL, EIO);
    atomic_store(&write_fails, 1);
    must_fail(f, "lost", NULL, ENOSPC);
    assert_int_equal(fixture_files(f, ".sgj"), 0);
    fixture_must_append(f, "one", NULL);
    assert_fed(f, (const char *const[]){"one", NULL});
}

struct many {
    struct fixture *f;
    struct sg_spool *original;
    pthread_t thread;
    bool ok;
};

static void *append_one(void *ctx)
{
    struct many *m = ctx;
    struct sg_journal_record r;
    struct sg_error err = {0};
    m->ok = fixture_append(m->f, m->original ? "large" : "small", m->original, &r, &err);
    return NULL;
}

/* A large original that does not fit does not take the small records beside it along. */
static void test_large_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct many m[12] = {0};
    fixture_open(f, &faulty);
    fixture_must_append(f, "first", NULL);
    atomic_store(&room, 300000);
    for (size_t i = 0; i < 12; i++) {
        m[i].f = f;
        m[i].original = i % 4 == 1 ? fixture_original(f, 2000000, true) : NULL;
        assert_int_equal(pthread_create(&m[i].thread, NULL, append_one, &m[i]), 0);
    }
    for (size_t i = 0; i < 12; i++)
        pthread_join(m[i].thread, NULL);
    atomic_store(&room, -1);
    size_t small = 0, kept = 0;
    for (size_t i = 0; i < 12; i++) {
        if (m[i].original)
            assert_false(m[i].ok);
        small += !m[i].original;
        kept += m[i].ok;
        sg_spool_free(&m[i].original);
    }
    fixture_drain(f);
    assert_int_equal(f->fed_count, kept + 1);
    assert_int_equal(records_of(f, 1), kept + 1);
    assert_true(kept <= small);
    fixture_must_append(f, "last", NULL);
    fixture_drain(f);
}

/* The same by the system itself: files may not grow beyond a limit. */
static void in_a_small_world(struct fixture *f)
{
    struct sg_journal_record r;
    struct sg_error err = {0};
    struct rlimit limit = {200000, 200000};
    SG_AUTO_SPOOL large = fixture_original(f, 300000, true);
    SG_AUTO_SPOOL small = fixture_original(f, 900, true);
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(2);
    f->options.segment_bytes = 100000;
    if (!sg_journal_open(&f->options, &f->j, &err))
        _exit(3);
    for (int i = 0; i < 120; i++) {
        if (fixture_append(f, "large", large, &r, &err) || err.code != SG_E_JOURNAL ||
            err.lib_code != EFBIG)
            _exit(4);
        if (!fixture_append(f, "small", small, &r, &err))
            _exit(5);
    }
    if (!sg_journal_drain(f->j, 30000, &err) || f->fed_count != 120)
        _exit(6);
    sg_journal_close(&f->j);
    _exit(0);
}

static void test_file_size_limit(void **state)
{
    struct fixture *f = *state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        in_a_small_world(f);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    size_t records = 0, segments = fixture_files(f, ".sgj");
    for (uint64_t n = 1; n <= segments; n++)
        records += records_of(f, n);
    assert_int_equal(records, 120);
}

#ifndef SG_SANITIZED
static long peak_kb(void)
{
    char line[128];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %ld kB", &kb) == 1)
            break;
    if (status)
        fclose(status);
    return kb;
}

static void append_large(struct fixture *f)
{
    struct sg_journal_record r;
    struct sg_error err = {0};
    if (!sg_journal_open(&f->options, &f->j, &err) || !fixture_append(f, "warm", NULL, &r, &err))
        _exit(2);
    SG_AUTO_SPOOL original = fixture_original(f, 30 << 20, true);
    long before = peak_kb();
    if (!fixture_append(f, "large", original, &r, &err))
        _exit(3);
    long grown = peak_kb() - before;
    print_message("peak grown by %ld kB\n", grown);
    if (before < 0 || grown > 12 * 1024)
        _exit(4);
    fixture_assert_original(f, r.archive_ref, original);
    if (peak_kb() - before > 12 * 1024)
        _exit(5);
    sg_journal_close(&f->j);
    _exit(0);
}

/* 30 MB that do not compress, in and out, in bounded memory. */
static void test_bounded_memory(void **state)
{
    struct fixture *f = *state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        append_large(f);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}
#endif

/* What failed is told until the disk takes something, be it a record or, where none comes, a file
 * that tries it. */
static bool is_healthy(void *ctx)
{
    struct fixture *f = ctx;
    return sg_journal_health(f->j, NULL);
}

static void must_be_ill(struct fixture *f, bool tried, int expected_errno)
{
    struct sg_error err = {0};
    f->j->probe_ms = tried ? 0 : INT64_MAX;
    assert_false(sg_journal_health(f->j, &err));
    assert_int_equal(err.code, SG_E_JOURNAL);
    assert_int_equal(err.lib_code, expected_errno);
}

static void test_health(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, &faulty);
    assert_true(is_healthy(f));
    assert_true(sg_journal_takes(f->j));
    fixture_must_append(f, "one", NULL);
    atomic_store(&room, 0);
    must_fail(f, "lost", NULL, ENOSPC);
    must_be_ill(f, false, ENOSPC);
    atomic_store(&room, 100000); /* less than is tried, which uses it up */
    must_be_ill(f, true, ENOSPC);
    assert_int_equal(atomic_load(&room), 0);
    atomic_store(&room, -1);
    must_be_ill(f, false, ENOSPC);
    f->j->probe_ms = 0;
    assert_true(is_healthy(f)); /* nothing was appended */
    f->j->probe_ms = 0;
    assert_true(is_healthy(f));

    atomic_store(&sync_fails, 2); /* of the record and of what is tried */
    must_fail(f, "lost", NULL, EIO);
    must_be_ill(f, true, EIO);
    must_be_ill(f, false, EIO);
    assert_false(sg_journal_takes(f->j));
    fixture_must_append(f, "two", NULL);
    assert_true(is_healthy(f));
    assert_true(sg_journal_takes(f->j));

    atomic_store(&f->hsm_away, true); /* which is told elsewhere */
    f->j->options.segment_bytes = 1;
    struct sg_journal_record r;
    struct sg_error err = {0};
    assert_false(fixture_append(f, "lost", NULL, &r, &err));
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
    assert_true(is_healthy(f));
    assert_false(sg_journal_takes(f->j));
    assert_int_equal(fixture_files(f, "probe"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_fails, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_write_and_cut_fail, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_sync_fails, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_new_segment_fails, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_health, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit, fixture_setup, fixture_teardown),
#ifndef SG_SANITIZED
        cmocka_unit_test_setup_teardown(test_bounded_memory, fixture_setup, fixture_teardown),
#endif
        cmocka_unit_test_setup_teardown(test_large_does_not_fit, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
