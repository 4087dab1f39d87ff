/*
 * Crashes: processes killed at any point, tails torn at every octet, files damaged. Every append
 * that said yes is fed; nothing is fed twice after an orderly end.
 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t faults(enum journal_fault kind)
{
    return sg_metric_get(sg_journal_metrics[0], kind, 0);
}

static void journal_empty(const struct fixture *f)
{
    DIR *dir = opendir(f->journal);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
}

/* A segment of three records that were never fed; ends_r[i] is where record i ends. */
static uint8_t *unfed_segment(struct fixture *f, uint64_t ends_r[3], size_t *len_r)
{
    static const char *const texts[] = {"one", "two", "three"};
    char path[160];
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    fixture_segment_path(f, 1, path);
    for (int i = 0; i < 3; i++) {
        fixture_must_append(f, texts[i], NULL);
        pthread_mutex_lock(&f->j->lock);
        ends_r[i] = f->j->writer.segment->end;
        pthread_mutex_unlock(&f->j->lock);
    }
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    return file_read(path, len_r);
}

/* Opens what was put there, expects these records, goes on writing, and all is clean afterwards. */
static void assert_recovers(struct fixture *f, size_t records)
{
    static const char *const texts[] = {"one", "two", "three"};
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    pthread_mutex_lock(&f->j->lock);
    uint64_t found = f->j->committed; /* some of which may be fed by now */
    pthread_mutex_unlock(&f->j->lock);
    assert_int_equal(found, records);
    fixture_must_append(f, "after", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, records + 1);
    for (size_t i = 0; i < records; i++)
        assert_string_equal(f->fed[i].payload, texts[i]);
    assert_string_equal(f->fed[records].payload, "after");
    fixture_close(f);
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    assert_int_equal(sg_journal_backlog(f->j), 0);
    fixture_drain(f);
    fixture_close(f);
    assert_int_equal(f->fed_count, 0);
}

static void test_torn_everywhere(void **state)
{
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len;
    char path[160], side[200];
    uint8_t *data = unfed_segment(f, ends, &len);
    fixture_segment_path(f, 1, path);
    for (size_t cut = 0; cut <= len; cut++) {
        size_t whole = cut >= ends[2] ? 3 : cut >= ends[1] ? 2 : cut >= ends[0] ? 1 : 0;
        uint64_t good = whole ? ends[whole - 1] : 0;
        journal_empty(f);
        file_write(path, data, cut);
        assert_recovers(f, whole);
        bool between = whole == 0 && cut <= ends[0] - (ends[1] - ends[0]);
        if (cut == good || between)
            continue; /* in the head of the segment, which is another case, or nothing torn */
        if (whole == 0)
            good = ends[0] - (ends[1] - ends[0]);
        snprintf(side, sizeof side, "%s/0000000000000001@%" PRIu64 ".torn", f->journal, good);
        size_t torn;
        uint8_t *kept = file_read(side, &torn); /* not a byte of evidence is lost */
        assert_int_equal(torn, cut - good);
        assert_memory_equal(kept, data + good, torn);
        free(kept);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, good);
    }
    free(data);
}

/* Zeros are room that was made ahead; a file system may leave rubbish behind where the last write
 * was to be. */
static void test_tail_of_zeros(void **state)
{
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len;
    char path[160];
    uint8_t *data = unfed_segment(f, ends, &len), *padded = calloc(1, len + 100000);
    fixture_segment_path(f, 1, path);
    memcpy(padded, data, len);
    journal_empty(f);
    file_write(path, padded, len + 100000);
    assert_recovers(f, 3);
    assert_int_equal(fixture_files(f, ".torn"), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, len);

    memcpy(padded + len, JOURNAL_MARKER "torn", 8); /* and room behind that */
    journal_empty(f);
    file_write(path, padded, len + 100000);
    int64_t torn_before = faults(JOURNAL_TORN);
    assert_recovers(f, 3);
    assert_int_equal(faults(JOURNAL_TORN), torn_before + 1);
    char side[160];
    size_t torn;
    snprintf(side, sizeof side, "%s/0000000000000001@%zu.torn", f->journal, len);
    uint8_t *kept = file_read(side, &torn);
    assert_in_range(torn, 8, 8191);
    assert_memory_equal(kept, padded + len, torn);
    free(kept);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, len);

    for (size_t i = len; i < len + 100000; i++)
        padded[i] = (uint8_t)JOURNAL_MARKER[i % 4];
    journal_empty(f);
    file_write(path, padded, len + 100000);
    assert_recovers(f, 3);
    free(padded);
    free(data);
}

/* Damage before good records is no torn tail: nothing is cut, the others are fed. */
static void test_damage_inside(void **state)
{
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len, after;
    char path[160];
    uint8_t *data = unfed_segment(f, ends, &len);
    fixture_segment_path(f, 1, path);
    data[ends[0] + 100] ^= 1;
    journal_empty(f);
    file_write(path, data, len);
    int64_t damaged = faults(JOURNAL_DAMAGED), torn = faults(JOURNAL_TORN);
    fixture_open(f, NULL);
    assert_int_equal(faults(JOURNAL_DAMAGED), damaged + 1);
    fixture_drain(f);
    assert_int_equal(faults(JOURNAL_DAMAGED), damaged + 2); /* when it was to be fed */
    assert_int_equal(faults(JOURNAL_TORN), torn);
    assert_int_equal(f->fed_count, 2);
    assert_string_equal(f->fed[0].payload, "one");
    assert_string_equal(f->fed[1].payload, "three");
    uint8_t *now = file_read(path, &after);
    assert_int_equal(after, len);
    assert_memory_equal(now, data, len);
    free(now);
    free(data);
}

/* The last record of a segment that another followed is no torn tail: it was acknowledged. */
static void test_damage_at_an_old_end(void **state)
{
    struct fixture *f = *state;
    for (int how = 0; how < 3; how++) {
        uint64_t ends[3];
        size_t len, after;
        char path[160];
        uint8_t *data = unfed_segment(f, ends, &len);
        fixture_segment_path(f, 1, path);
        atomic_store(&f->feed_fails, true);
        fixture_open(f, NULL);
        fixture_must_append(f, "next", NULL);
        fixture_close(f);
        atomic_store(&f->feed_fails, false);
        int64_t damaged = faults(JOURNAL_DAMAGED), torn = faults(JOURNAL_TORN);
        if (how != 1)
            memset(data + ends[1], 0, len - ends[1]);
        else
            data[ends[1] + 100] ^= 1;
        if (how < 2)
            file_write(path, data, len);
        atomic_store(&f->hsm_away, true);
        fixture_open(f, NULL);
        assert_int_equal(faults(JOURNAL_DAMAGED), damaged + (how < 2));
        file_write(path, data, len); /* it comes later, when it has been counted */
        atomic_store(&f->hsm_away, false);
        fixture_drain(f);
        assert_int_equal(faults(JOURNAL_DAMAGED), damaged + 1);
        assert_int_equal(faults(JOURNAL_TORN), torn);
        assert_int_equal(f->fed_count, 3);
        assert_string_equal(f->fed[1].payload, "two");
        assert_string_equal(f->fed[2].payload, "next");
        uint8_t *now = file_read(path, &after);
        assert_int_equal(after, len);
        assert_memory_equal(now, data, len);
        free(now);
        free(data);
        fixture_free(f);
        fixture_init(f);
    }
}

/* A crash before the segment that another is to follow was cut: its room is no damage. */
static void test_room_of_an_old_end(void **state)
{
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len;
    char path[160];
    struct stat st;
    for (int torn = 0; torn < 2; torn++) {
        uint8_t *data = unfed_segment(f, ends, &len);
        fixture_segment_path(f, 1, path);
        assert_int_equal(truncate(path, 200000), 0);
        size_t head = ends[0] - (ends[1] - ends[0]); /* records of one length, nearly */
        fixture_segment_path(f, 2, path);
        journal_put(data + 12, 8, 2);
        journal_put(data + head - 4, 4, journal_crc(0, data, head - 4));
        file_write(path, data, torn ? head / 2 : head);
        free(data);
        int64_t damaged = faults(JOURNAL_DAMAGED);
        fixture_open(f, NULL);
        fixture_drain(f);
        assert_int_equal(f->fed_count, 3);
        assert_int_equal(faults(JOURNAL_DAMAGED), damaged);
        fixture_segment_path(f, 1, path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, len);
        fixture_free(f);
        fixture_init(f);
    }
}

/* An original that is damaged, with a good record behind it: the one is skipped and the other fed,
 * and neither is counted that is not fed (a backlog below nothing would refuse all mail). */
static void test_damaged_original(void **state)
{
    struct fixture *f = *state;
    char path[160];
    size_t len;
    atomic_store(&f->feed_fails, true);
    fixture_open(f, NULL);
    SG_AUTO_SPOOL original = fixture_original(f, 5000, true);
    fixture_must_append(f, "one", original);
    pthread_mutex_lock(&f->j->lock);
    uint64_t end = f->j->writer.segment->end;
    pthread_mutex_unlock(&f->j->lock);
    fixture_must_append(f, "two", NULL);
    fixture_close(f);
    atomic_store(&f->feed_fails, false);
    fixture_segment_path(f, 1, path);
    uint8_t *data = file_read(path, &len);
    data[end - 100] ^= 1;
    file_write(path, data, len);
    free(data);
    fixture_open(f, NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
    assert_string_equal(f->fed[0].payload, "two");
    fixture_must_append(f, "three", NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 2);
}

/* A copy that somebody made beside a segment is none of ours. */
static void test_foreign_names(void **state)
{
    static const char *const names[] = {"00000000000000001.sgj", "0000000000000002.sgj.bak",
                                        "00000000000000000000000000000000000007.sgj", "1.sgj"};
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len;
    char path[200];
    uint8_t *data = unfed_segment(f, ends, &len);
    for (int with = 0; with < 2; with++) {
        journal_empty(f);
        if (with) {
            fixture_segment_path(f, 1, path);
            file_write(path, data, len);
        }
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            snprintf(path, sizeof path, "%s/%s", f->journal, names[i]);
            file_write(path, data, len);
        }
        assert_recovers(f, with ? 3 : 0);
    }
    free(data);
}

static bool was_refused_a_key(void *ctx)
{
    struct fixture *f = ctx;
    return atomic_load(&f->keys_refused) > 1; /* the first one is logged by then */
}

/* Damage that comes after the opening: the drain still ends, the rest is fed. */
static void test_damage_later(void **state)
{
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len;
    char path[160];
    uint8_t *data = unfed_segment(f, ends, &len);
    fixture_segment_path(f, 1, path);
    atomic_store(&f->hsm_away, true);
    int64_t not_read = faults(JOURNAL_NOT_READ);
    fixture_open(f, NULL);
    assert_int_equal(sg_journal_backlog(f->j), 3);
    data[ends[0] + 50] ^= 1;
    file_write(path, data, len);
    fixture_await(was_refused_a_key, f);
    atomic_store(&f->hsm_away, false);
    fixture_drain(f);
    assert_int_equal(faults(JOURNAL_NOT_READ), not_read); /* that was hsmd's */
    assert_int_equal(f->fed_count, 2);
    assert_string_equal(f->fed[1].payload, "three");
    free(data);
}

/* A head that is damaged while records follow: set nothing aside, lose no number, go on. */
static void test_headless(void **state)
{
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len;
    char path[160];
    uint8_t *data = unfed_segment(f, ends, &len);
    fixture_segment_path(f, 1, path);
    data[20] ^= 1;
    journal_empty(f);
    file_write(path, data, len);
    int64_t headless = faults(JOURNAL_HEADLESS);
    assert_recovers(f, 0);
    assert_int_equal(faults(JOURNAL_HEADLESS), headless + 1);
    assert_int_equal(fixture_files(f, ".torn"), 0);
    assert_int_equal(fixture_files(f, ".sgj"), 2);
    free(data);
}

/* A good segment under the name of another is touched by nobody. */
static void test_wrong_name(void **state)
{
    struct fixture *f = *state;
    uint64_t ends[3];
    size_t len, after;
    char path[160], other[160];
    struct sg_error err = {0};
    uint8_t *data = unfed_segment(f, ends, &len);
    fixture_segment_path(f, 1, path);
    fixture_segment_path(f, 2, other);
    assert_int_equal(rename(path, other), 0);
    assert_false(sg_journal_open(&f->options, &f->j, &err));
    assert_non_null(strstr(err.detail, "0000000000000002.sgj"));
    assert_non_null(strstr(err.detail, "0000000000000001.sgj"));
    uint8_t *now = file_read(other, &after);
    assert_int_equal(after, len);
    assert_memory_equal(now, data, len);
    assert_int_equal(fixture_files(f, ".torn"), 0);
    free(now);
    free(data);
    assert_int_equal(rename(other, path), 0);
    assert_recovers(f, 3);
}

/* Without a position, or with a damaged one, everything is fed again rather than nothing. */
static void test_position_lost(void **state)
{
    struct fixture *f = *state;
    char path[160];
    fixture_open(f, NULL);
    fixture_must_append(f, "one", NULL);
    fixture_drain(f);
    fixture_close(f);
    snprintf(path, sizeof path, "%s/position", f->journal);
    size_t len;
    uint8_t *data = file_read(path, &len);
    for (size_t i = 0; i <= len; i++) {
        fixture_fed_clear(f);
        if (i < len) {
            data[i] ^= 4;
            file_write(path, data, len);
            data[i] ^= 4;
        } else {
            assert_int_equal(unlink(path), 0);
        }
        fixture_open(f, NULL);
        fixture_drain(f);
        assert_int_equal(f->fed_count, 1);
        fixture_close(f);
    }
    free(data);
}

/* Feeds three records, each in a batch of its own, after which the position has been written to
 * both of its files. */
static void three_batches(struct fixture *f)
{
    static const char *const texts[] = {"one", "two", "three"};
    fixture_open(f, NULL);
    for (int i = 0; i < 3; i++) {
        fixture_must_append(f, texts[i], NULL);
        fixture_drain(f);
    }
    fixture_close(f);
    fixture_fed_clear(f);
}

/* Whatever becomes of one of the files, no more than the last batch is fed again; of both, or where
 * somebody has removed the first one, all is, now and after a crash in the midst of it. */
static void test_position_twice(void **state)
{
    static const struct {
        bool damaged[2], removed;
        size_t most, least; /* fed again */
    } cases[] = {{{true, false}, false, 1, 0},
                 {{false, true}, false, 1, 0},
                 {{true, true}, false, 3, 3},
                 {{false, false}, true, 3, 3}};
    static const char *const names[] = {"position", "position.2"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[2][160];
        three_batches(f);
        for (int n = 0; n < 2; n++) {
            snprintf(path[n], sizeof path[n], "%s/%s", f->journal, names[n]);
            if (!cases[i].damaged[n])
                continue;
            size_t len;
            uint8_t *data = file_read(path[n], &len);
            data[len / 2] ^= 1;
            file_write(path[n], data, len);
            free(data);
        }
        if (cases[i].removed) {
            assert_int_equal(unlink(path[0]), 0);
            atomic_store(&f->feed_fails, true); /* killed before anything is fed */
            fixture_open(f, NULL);
            fixture_close(f);
            atomic_store(&f->feed_fails, false);
            assert_int_equal(access(path[1], F_OK), -1);
        }
        fixture_open(f, NULL);
        fixture_drain(f);
        assert_in_range(f->fed_count, cases[i].least, cases[i].most);
        fixture_must_append(f, "after", NULL);
        fixture_drain(f);
        fixture_close(f);
        fixture_fed_clear(f);
        fixture_open(f, NULL);
        fixture_drain(f);
        assert_int_equal(f->fed_count, 0);
        fixture_free(f);
        fixture_init(f);
    }
}

/* Segments that were fed may be carried off to the archive. */
static void test_segments_gone(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 256;
    fixture_open(f, NULL);
    for (int i = 0; i < 10; i++)
        fixture_must_append(f, "record", NULL);
    fixture_drain(f);
    assert_int_equal(sg_journal_fed_segment(f->j), fixture_files(f, ".sgj")); /* all before it */
    fixture_close(f);
    size_t before = fixture_files(f, ".sgj");
    for (uint64_t n = 1; n <= before; n++) {
        char path[160];
        fixture_segment_path(f, n, path);
        assert_int_equal(unlink(path), 0);
    }
    fixture_fed_clear(f);
    fixture_open(f, NULL);
    assert_int_equal(sg_journal_fed_segment(f->j), before);
    SG_AUTO_SPOOL original = fixture_original(f, 10, false);
    struct sg_journal_record r = fixture_must_append(f, "after", original);
    char expected[64]; /* its number was never used before */
    snprintf(expected, sizeof expected, "node-1/%016zu@", before + 1);
    assert_memory_equal(r.archive_ref, expected, strlen(expected));
    fixture_drain(f);
    assert_int_equal(f->fed_count, 1);
}

/* --- killed --- */

#define APPENDERS 4

struct child {
    struct fixture *f;
    int acked, fed;
    struct sg_spool *originals[2];
};

static void id_write(int fd, const uint8_t id[SG_JOURNAL_RECORD_ID])
{
    if (write(fd, id, SG_JOURNAL_RECORD_ID) != SG_JOURNAL_RECORD_ID)
        _exit(9);
}

static bool feed_to_file(void *ctx, const struct sg_journal_record *records, size_t count,
                         struct sg_error *err)
{
    struct child *c = ctx;
    (void)err;
    for (size_t i = 0; i < count; i++)
        id_write(c->fed, records[i].id);
    return true;
}

static void *append_forever(void *ctx)
{
    struct child *c = ctx;
    for (unsigned i = 0;; i++) {
        struct sg_journal_record r;
        struct sg_error err = {0};
        if (!fixture_append(c->f, "{\"some\":\"payload\"}", i % 8 < 2 ? c->originals[i % 8] : NULL,
                            &r, &err))
            _exit(8);
        id_write(c->acked, r.id);
    }
    return NULL;
}

static int ids_open(const struct fixture *f, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void child_run(struct fixture *f)
{
    struct child c = {.f = f, .acked = ids_open(f, "acked"), .fed = ids_open(f, "fed")};
    struct sg_error err = {0};
    c.originals[0] = fixture_original(f, 2000, true);
    c.originals[1] = fixture_original(f, 90000, true);
    f->options.feed = feed_to_file;
    f->options.feed_ctx = &c;
    if (!sg_journal_open(&f->options, &f->j, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        _exit(7);
    }
    pthread_t threads[APPENDERS];
    for (int i = 0; i < APPENDERS; i++)
        if (pthread_create(&threads[i], NULL, append_forever, &c) != 0)
            _exit(6);
    for (;;)
        pause();
}

struct target {
    int fd;
    off_t size;
};

static bool grown(void *ctx)
{
    struct target *t = ctx;
    struct stat st;
    return fstat(t->fd, &st) == 0 && st.st_size >= t->size;
}

static int id_compare(const void *a, const void *b)
{
    return memcmp(a, b, SG_JOURNAL_RECORD_ID);
}

static uint8_t *ids_sorted(const struct fixture *f, const char *name, size_t *count_r)
{
    char path[160];
    size_t len;
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    uint8_t *ids = file_read(path, &len);
    *count_r = len / SG_JOURNAL_RECORD_ID; /* what stands behind was torn by the kill */
    qsort(ids, *count_r, SG_JOURNAL_RECORD_ID, id_compare);
    return ids;
}

static void files_remove(const struct fixture *f)
{
    char path[160];
    snprintf(path, sizeof path, "%s/acked", f->dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/fed", f->dir);
    unlink(path);
}

static void test_killed(void **state)
{
    struct fixture *f = *state;
    const char *asked = getenv("SG_JOURNAL_KILLS");
    int rounds = asked ? (int)strtol(asked, NULL, 10) : 25;
    int acked = ids_open(f, "acked"), fed = ids_open(f, "fed");
    f->options.segment_bytes = 200000;
    f->options.feed_batch = 20;
    f->options.feed_interval_ms = 2;
    srand(4711);
    for (int i = 0; i < rounds; i++) {
        struct stat st;
        assert_int_equal(fstat(acked, &st), 0);
        struct target t = {acked, st.st_size + (1 + rand() % 300) * SG_JOURNAL_RECORD_ID};
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child_run(f);
        fixture_await(grown, &t); /* appends are in flight: the child does nothing else */
        usleep((useconds_t)(rand() % 3000)); /* anywhere within one */
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it was alive */
    }
    /* The last time in this process, to the end. */
    fixture_open(f, NULL);
    fixture_drain(f);
    for (size_t i = 0; i < f->fed_count; i++)
        id_write(fed, f->fed[i].id);
    fixture_close(f);

    size_t acked_count, fed_count, twice = 0, extra = 0, a = 0;
    uint8_t *acked_ids = ids_sorted(f, "acked", &acked_count);
    uint8_t *fed_ids = ids_sorted(f, "fed", &fed_count);
    for (size_t i = 0; i < fed_count; i++) {
        const uint8_t *id = fed_ids + i * SG_JOURNAL_RECORD_ID;
        if (i && id_compare(id, id - SG_JOURNAL_RECORD_ID) == 0) {
            twice++;
        } else if (a < acked_count && id_compare(id, acked_ids + a * SG_JOURNAL_RECORD_ID) == 0) {
            a++;
        } else {
            extra++; /* on disk, but the answer did not get out: at most one an appender */
        }
    }
    print_message("%zu acknowledged, %zu fed, %zu of them again\n", acked_count, fed_count, twice);
    assert_int_equal(a, acked_count); /* none that was acknowledged is missing */
    assert_true(acked_count >= (size_t)rounds);
    assert_in_range(extra, 0, (size_t)rounds * APPENDERS);
    assert_in_range(twice, 0, (size_t)rounds * f->options.feed_batch);
    free(acked_ids);
    free(fed_ids);
    close(acked);
    close(fed);
    files_remove(f);

    fixture_fed_clear(f); /* after the orderly end: nothing again */
    fixture_open(f, NULL);
    fixture_drain(f);
    assert_int_equal(f->fed_count, 0);
}

/* --- killed between a write and its sync --- */

static int before_sync = -1; /* the child's: told when its record is written */
static atomic_int syncs, syncs_before_feed;

static int sync_never(int fd)
{
    if (atomic_fetch_add(&syncs, 1) == 0) /* of the segment's head */
        return fdatasync(fd);
    if (write(before_sync, "", 1) != 1)
        _exit(5);
    for (;;)
        pause();
}

static int sync_counted(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return fdatasync(fd);
}

static int sync_failing(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static bool feed_after_syncs(void *ctx, const struct sg_journal_record *records, size_t count,
                             struct sg_error *err)
{
    (void)ctx, (void)records, (void)err;
    if (count)
        atomic_store(&syncs_before_feed, atomic_load(&syncs));
    return true;
}

static void child_killed_before_sync(struct fixture *f)
{
    static const struct journal_io io = {pwrite, sync_never, ftruncate};
    int ends[2];
    char told;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sg_journal_record r;
        struct sg_error err = {0};
        before_sync = ends[1];
        if (!journal_open_io(&f->options, &io, &f->j, &err))
            _exit(7);
        (void)fixture_append(f, "one", NULL, &r, &err);
        _exit(8);
    }
    assert_int_equal(read(ends[0], &told, 1), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(ends[0]);
    close(ends[1]);
}

/* What is only in memory yet could be gone after it was fed: it comes to the disk first. */
static void test_synced_before_fed(void **state)
{
    static const struct journal_io counted = {pwrite, sync_counted, ftruncate},
                                   failing = {pwrite, sync_failing, ftruncate};
    struct fixture *f = *state;
    struct sg_error err = {0};
    child_killed_before_sync(f);
    assert_false(journal_open_io(&f->options, &failing, &f->j, &err));
    assert_int_equal(err.lib_code, EIO);
    f->options.feed = feed_after_syncs;
    atomic_store(&syncs, 0);
    fixture_open(f, &counted);
    fixture_drain(f);
    assert_true(atomic_load(&syncs_before_feed) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_torn_everywhere, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_tail_of_zeros, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_damage_inside, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_original, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_damage_at_an_old_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_room_of_an_old_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_foreign_names, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_damage_later, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_headless, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_position_lost, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_name, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_segments_gone, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_position_twice, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_synced_before_fed, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
