/* spool.h: memory, file, the edges between them, limits. */
#include "common/buf.h"
#include "spool/spool.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/sg-spool-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir);
}

static uint8_t octet(uint64_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

/* How many files of ours are open; the first one's number too. */
static int open_in_dir(int *fd_r)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[300], target[4096];
        snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len <= 0 || strncmp(target, dir, strlen(dir)) != 0)
            continue;
        if (n++ == 0)
            *fd_r = atoi(e->d_name);
    }
    closedir(d);
    return n;
}

static int files_open_in_dir(void)
{
    int fd;
    return open_in_dir(&fd);
}

static bool fill(struct sg_spool *s, uint64_t total, size_t piece, struct sg_error *err)
{
    uint8_t data[70000];
    for (uint64_t at = 0; at < total;) {
        size_t n = piece < total - at ? piece : (size_t)(total - at);
        for (size_t i = 0; i < n; i++)
            data[i] = octet(at + i);
        if (!sg_spool_write(s, data, n, err))
            return false;
        at += n;
    }
    return true;
}

static void check(struct sg_spool *s, uint64_t total, size_t step)
{
    assert_int_equal(sg_spool_size(s), total);
    uint8_t data[70000];
    struct sg_error err;
    for (uint64_t at = 0; at <= total; at += step) {
        size_t n;
        assert_true(sg_spool_read(s, at, data, step + 3, &n, &err));
        uint64_t expected = total - at < step + 3 ? total - at : step + 3;
        assert_int_equal(n, expected);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(data[i], octet(at + i));
    }
}

static void sizes_around_the_memory_limit(void **state)
{
    (void)state;
    static const size_t memory[] = {0, 1, 100, 4096, 10000};
    static const size_t pieces[] = {1, 7, 99, 100, 101, 4096, 65536};
    for (size_t m = 0; m < sizeof memory / sizeof *memory; m++)
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
            for (int d = -1; d <= 1; d++) {
                uint64_t total = (uint64_t)((int64_t)memory[m] + d + (int64_t)(d > 0 ? 300 : 0));
                if ((int64_t)total < 0)
                    continue;
                struct sg_spool_limits limits = {memory[m], 1 << 20, dir};
                SG_AUTO_SPOOL s = sg_spool_new(&limits);
                struct sg_error err = {0};
                assert_true(fill(s, total, pieces[p], &err));
                assert_int_equal(files_open_in_dir(), total > memory[m] ? 1 : 0);
                check(s, total, 97);
            }
    assert_int_equal(files_open_in_dir(), 0);
}

static void large_message_leaves_no_name(void **state)
{
    (void)state;
    struct sg_spool_limits limits = {65536, 32 << 20, dir};
    SG_AUTO_SPOOL s = sg_spool_new(&limits);
    struct sg_error err;
    assert_true(fill(s, 20 << 20, 8191, &err));
    assert_int_equal(rmdir(dir), 0); /* empty */
    assert_int_equal(mkdir(dir, 0700), 0);
    check(s, 20 << 20, 65521);
}

/* Of a message that was decrypted, nothing can be read on the disk, then or later (REQ-126). */
static void no_clear_text_in_the_file(void **state)
{
    (void)state;
    static const char secret[] = "the settlement is four millions. ";
    struct sg_spool_limits limits = {0, 1 << 20, dir};
    char first[4096] = "";
    for (int round = 0; round < 2; round++) {
        SG_AUTO_SPOOL s = sg_spool_new(&limits);
        struct sg_error err;
        for (int i = 0; i < 100; i++)
            assert_true(sg_spool_write(s, secret, strlen(secret), &err));
        int fd;
        char file[4096], back[sizeof secret - 1];
        assert_int_equal(open_in_dir(&fd), 1);
        assert_int_equal(pread(fd, file, sizeof file, 0), 100 * strlen(secret));
        for (size_t at = 0; at + 8 <= 100 * strlen(secret); at++)
            for (size_t in = 0; in < strlen(secret); in += 8)
                assert_memory_not_equal(file + at, secret + in % 24, 8);
        assert_memory_not_equal(file, first, 64); /* the same message under another key */
        memcpy(first, file, sizeof first);
        size_t n;
        assert_true(sg_spool_read(s, 50 * strlen(secret), back, sizeof back, &n, &err));
        assert_memory_equal(back, secret, n);
    }
}

/* At any place, pieces of any length, whatever lengths it was written in. */
static void read_at_any_place(void **state)
{
    (void)state;
    struct sg_spool_limits limits = {33, 1 << 20, dir};
    SG_AUTO_SPOOL s = sg_spool_new(&limits);
    struct sg_error err;
    uint8_t data[100];
    assert_true(fill(s, 1000, 37, &err));
    for (uint64_t at = 0; at < 1000; at++)
        for (size_t len = 1; len <= sizeof data; len += 9) {
            size_t n;
            assert_true(sg_spool_read(s, at, data, len, &n, &err));
            for (size_t i = 0; i < n; i++)
                assert_int_equal(data[i], octet(at + i));
        }
}

static void limit_to_the_octet(void **state)
{
    (void)state;
    struct sg_spool_limits limits = {10, 1000, dir};
    SG_AUTO_SPOOL s = sg_spool_new(&limits);
    struct sg_error err;
    assert_true(fill(s, 1000, 100, &err));
    assert_true(sg_spool_write(s, "", 0, &err));
    assert_false(sg_spool_write(s, "x", 1, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    assert_int_equal(sg_spool_size(s), 1000);
    SG_AUTO_SPOOL t = sg_spool_new(&limits);
    uint8_t data[1001] = {0};
    assert_false(sg_spool_write(t, data, sizeof data, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
}

static void directory_missing(void **state)
{
    (void)state;
    struct sg_spool_limits limits = {10, 1000, "/nonexistent/spool"};
    SG_AUTO_SPOOL s = sg_spool_new(&limits);
    struct sg_error err;
    assert_true(sg_spool_write(s, "0123456789", 10, &err));
    assert_false(sg_spool_write(s, "x", 1, &err));
    assert_int_equal(err.code, SG_E_IO);
    /* It does not go on as if nothing had happened. */
    assert_false(sg_spool_write(s, "y", 1, &err));
}

/* What a message would find, were it too long for the memory: it is in no memory itself. */
static void probes(void **state)
{
    (void)state;
    struct sg_spool_limits limits = {8 << 20, 1000, dir}, missing = limits;
    struct sg_error err;
    missing.dir = "/nonexistent/spool";
    sg_spool_share(4 << 20, 4 << 20);
    assert_true(sg_spool_probe(&limits, &err));
    assert_int_equal(files_open_in_dir(), 0);
    assert_false(sg_spool_probe(&missing, &err));
    assert_int_equal(err.code, SG_E_IO);
    sg_spool_share(0, 0);
}

static bool collect(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

static bool refuse(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)ctx, (void)data, (void)len;
    return sg_fail(err, SG_E_BUSY, "no");
}

static void copies_ranges(void **state)
{
    (void)state;
    struct sg_spool_limits limits = {5000, 1 << 20, dir};
    SG_AUTO_SPOOL s = sg_spool_new(&limits);
    struct sg_error err;
    assert_true(fill(s, 200000, 3000, &err));
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    struct sg_sink sink = {collect, &out};
    assert_true(sg_spool_copy(s, 1234, 150000, &sink, &err));
    assert_int_equal(out.len, 150000);
    for (size_t i = 0; i < out.len; i++)
        assert_int_equal(out.data[i], octet(1234 + i));
    sg_buf_clear(&out);
    assert_true(sg_spool_copy(s, 199990, UINT64_MAX, &sink, &err));
    assert_int_equal(out.len, 10);
    sg_buf_clear(&out);
    assert_true(sg_spool_copy(s, 200000, UINT64_MAX, &sink, &err));
    assert_true(sg_spool_copy(s, 300000, 5, &sink, &err));
    assert_true(sg_spool_copy(s, 0, 0, &sink, &err));
    assert_int_equal(out.len, 0);
    struct sg_sink no = {refuse, NULL};
    assert_false(sg_spool_copy(s, 0, 1, &no, &err));
    assert_int_equal(err.code, SG_E_BUSY);
    SG_AUTO_SPOOL t = sg_spool_new(&limits);
    struct sg_sink into = sg_spool_sink(t);
    assert_true(sg_spool_copy(s, 0, UINT64_MAX, &into, &err));
    check(t, 200000, 9973);
}

/* What one has of the share it gives back when it goes to the file, or goes. */
static void share_of_the_memory(void **state)
{
    (void)state;
    const size_t step = 128 << 10;
    struct sg_spool_limits limits = {1000, 4 << 20, dir};
    struct sg_error err;
    sg_spool_share(3 * step, 2 * step);
    SG_AUTO_SPOOL a = sg_spool_new(&limits);
    assert_true(fill(a, 1000, 999, &err));
    assert_int_equal(sg_spool_shared_now(), 0);
    assert_true(fill(a, 1, 1, &err));
    assert_int_equal(sg_spool_shared_now(), step);
    SG_AUTO_SPOOL b = sg_spool_new(&limits);
    assert_true(fill(b, 1000 + 2 * step, 65536, &err)); /* to the octet what one may have */
    assert_int_equal(sg_spool_shared_now(), 3 * step);
    assert_int_equal(files_open_in_dir(), 0);
    check(b, 1000 + 2 * step, 9973);

    SG_AUTO_SPOOL c = sg_spool_new(&limits); /* there is none left */
    assert_true(fill(c, 2000, 100, &err));
    assert_int_equal(files_open_in_dir(), 1);
    check(c, 2000, 97);
    sg_spool_free(&b);
    assert_int_equal(sg_spool_shared_now(), step);

    SG_AUTO_SPOOL d = sg_spool_new(&limits); /* too large for one */
    assert_true(fill(d, 1001 + 2 * step, 65536, &err));
    assert_int_equal(files_open_in_dir(), 2);
    assert_int_equal(sg_spool_shared_now(), step);
    check(d, 1001 + 2 * step, 9973);
    sg_spool_share(0, 0);
    sg_spool_free(&a);
    assert_int_equal(sg_spool_shared_now(), 0);
}

/* Around each place where a block ends, in memory alone. */
static void edges_of_the_blocks(void **state)
{
    (void)state;
    static const size_t edges[] = {4 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10, 384 << 10};
    static const size_t pieces[] = {4095, 16384, 70000};
    struct sg_spool_limits limits = {512 << 10, 1 << 20, dir};
    for (size_t e = 0; e < sizeof edges / sizeof *edges; e++)
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
            for (size_t total = edges[e] - 1; total <= edges[e] + 1; total++) {
                SG_AUTO_SPOOL s = sg_spool_new(&limits);
                struct sg_error err;
                assert_true(fill(s, total, pieces[p], &err));
                assert_int_equal(files_open_in_dir(), 0);
                check(s, total, 4093);
                SG_AUTO_BUF out = {0};
                struct sg_sink sink = {collect, &out};
                assert_true(sg_spool_copy(s, edges[e] - 2, 3, &sink, &err));
                assert_int_equal(out.len, total - edges[e] + 2);
                for (size_t i = 0; i < out.len; i++)
                    assert_int_equal(out.data[i], octet(edges[e] - 2 + i));
            }
}

/* Spools of one message: to the octet what they may hold at once, and again what was freed. */
static void limit_of_all_together(void **state)
{
    (void)state;
    struct sg_spool_sum sum = {.max_bytes = 1500};
    struct sg_spool_limits limits = {10, 1000, dir};
    struct sg_error err;
    SG_AUTO_SPOOL a = sg_spool_new(&limits);
    SG_AUTO_SPOOL b = sg_spool_new(&limits);
    sg_spool_count(a, &sum);
    sg_spool_count(b, &sum);
    assert_true(fill(a, 1000, 100, &err));
    assert_true(fill(b, 500, 100, &err));
    assert_int_equal(sum.bytes, 1500);
    assert_false(sg_spool_write(b, "x", 1, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    sg_spool_free(&b);
    assert_int_equal(sum.bytes, 1000);
    b = sg_spool_new(&limits);
    sg_spool_count(b, &sum);
    assert_true(fill(b, 500, 100, &err));
    sg_spool_free(&a);
    sg_spool_free(&b);
    assert_int_equal(sum.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_around_the_memory_limit),
        cmocka_unit_test(large_message_leaves_no_name),
        cmocka_unit_test(no_clear_text_in_the_file),
        cmocka_unit_test(read_at_any_place),
        cmocka_unit_test(limit_to_the_octet),
        cmocka_unit_test(directory_missing),
        cmocka_unit_test(probes),
        cmocka_unit_test(copies_ranges),
        cmocka_unit_test(share_of_the_memory),
        cmocka_unit_test(edges_of_the_blocks),
        cmocka_unit_test(limit_of_all_together),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
