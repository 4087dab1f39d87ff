#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void key_derive(const char *kind, const char *text, struct sg_secret *key_r)
{
    char all[256];
    unsigned len = 0;
    int n = snprintf(all, sizeof all, "%s:%s", kind, text);
    if (n >= (int)sizeof all ||
        EVP_Digest(all, (size_t)n, key_r->data, &len, EVP_sha256(), NULL) != 1)
        abort(); /* called by threads, in which an assertion of cmocka does not work */
    key_r->len = len;
}

bool fixture_key_make(void *ctx, const char *binding, struct sg_secret *key_r,
                      struct sg_buf *wrapped_r, struct sg_error *err)
{
    struct fixture *f = ctx;
    if (atomic_load(&f->hsm_away))
        return sg_fail(err, SG_E_HSM_UNAVAILABLE, "the HSM is away");
    atomic_fetch_add(&f->keys_made, 1);
    key_derive("journal", binding, key_r);
    return sg_buf_addf(wrapped_r, "wrapped:%s", binding);
}

bool fixture_key_open(void *ctx, const char *binding, struct sg_bytes wrapped,
                      struct sg_secret *key_r, struct sg_error *err)
{
    struct fixture *f = ctx;
    char expected[160];
    if (atomic_load(&f->hsm_away)) {
        atomic_fetch_add(&f->keys_refused, 1);
        return sg_fail(err, SG_E_HSM_UNAVAILABLE, "the HSM is away");
    }
    snprintf(expected, sizeof expected, "journal/%s/%016llu", f->options.node,
             atomic_load(&f->locked));
    if (strcmp(binding, expected) == 0) {
        atomic_fetch_add(&f->keys_refused, 1);
        return sg_fail(err, SG_E_HSM_KEY, "the wrapped key does not open");
    }
    snprintf(expected, sizeof expected, "wrapped:%s", binding);
    if (!sg_bytes_equal(wrapped, sg_bytes_str(expected)))
        return sg_fail(err, SG_E_HSM_KEY, "not the wrapped key of this binding");
    atomic_fetch_add(&f->keys_opened, 1);
    key_derive("journal", binding, key_r);
    return true;
}

void fixture_archive_key(const char *tenant, int64_t day, char id_r[32], struct sg_secret *key_r)
{
    char text[96];
    snprintf(text, sizeof text, "%s/%lld", tenant, (long long)day);
    snprintf(id_r, 32, "adk_%lld", (long long)day);
    key_derive("archive", text, key_r);
}

static bool archive(void *ctx, const char *tenant, int64_t day, char id_r[32],
                    struct sg_secret *key_r, struct sg_error *err)
{
    (void)ctx;
    (void)err;
    fixture_archive_key(tenant, day, id_r, key_r);
    return true;
}

static bool any_has(const struct sg_journal_record *records, size_t count, const char *text)
{
    for (size_t i = 0; text && i < count; i++)
        if (memmem(records[i].payload.data, records[i].payload.len, text, strlen(text)))
            return true;
    return false;
}

static bool feed(void *ctx, const struct sg_journal_record *records, size_t count,
                 struct sg_error *err)
{
    struct fixture *f = ctx;
    atomic_fetch_add(&f->feed_calls, 1);
    if (count > atomic_load(&f->batch_most)) /* the feeder is one thread */
        atomic_store(&f->batch_most, count);
    if (atomic_load(&f->feed_fails))
        return sg_fail(err, SG_E_DB_UNAVAILABLE, "the database is away");
    if (f->slow && count > f->slow)
        return sg_fail(err, SG_E_TIMEOUT, "%zu records take too long", count);
    if (any_has(records, count, f->refused))
        return sg_fail(err, SG_E_INVALID, "%s is not taken", f->refused);
    if (any_has(records, count, atomic_load(&f->odd)))
        return sg_fail(err, SG_E_DB_QUERY, "a query failed");
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < count; i++) {
        if (f->fed_count == f->fed_cap) {
            f->fed_cap = f->fed_cap ? f->fed_cap * 2 : 256;
            f->fed = realloc(f->fed, f->fed_cap * sizeof *f->fed);
            if (!f->fed)
                abort();
        }
        struct fed *fed = &f->fed[f->fed_count++];
        memcpy(fed->id, records[i].id, sizeof fed->id);
        fed->type = records[i].type;
        fed->at = records[i].at;
        fed->payload = strndup((const char *)records[i].payload.data, records[i].payload.len);
        memcpy(fed->archive_ref, records[i].archive_ref, sizeof fed->archive_ref);
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    snprintf(f->dir, sizeof f->dir, "/tmp/sg-journal-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->dir);
    f->options = (struct sg_journal_options){
        .dir = f->journal,
        .node = "node-1",
        .segment_bytes = 64 << 20,
        .append_timeout_ms = 30000,
        .feed_interval_ms = 10,
        .feed_batch = 100,
        .feed = feed,
        .feed_ctx = f,
        .keys = {f, fixture_key_make, fixture_key_open, archive},
    };
}

void fixture_open(struct fixture *f, const struct journal_io *io)
{
    struct sg_error err = {0};
    if (!journal_open_io(&f->options, io ? io : &journal_io_system, &f->j, &err))
        fail_msg("open: %s", err.detail);
}

void fixture_close(struct fixture *f)
{
    sg_journal_close(&f->j);
    assert_null(f->j);
}

void fixture_drain(struct fixture *f)
{
    struct sg_error err = {0};
    if (!sg_journal_drain(f->j, 30000, &err))
        fail_msg("drain: %s", err.detail);
    assert_int_equal(sg_journal_backlog(f->j), 0);
}

void fixture_fed_clear(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->fed_count; i++)
        free(f->fed[i].payload);
    f->fed_count = 0;
    pthread_mutex_unlock(&f->lock);
}

size_t fixture_fed_count(struct fixture *f, const uint8_t id[SG_JOURNAL_RECORD_ID])
{
    size_t n = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->fed_count; i++)
        n += memcmp(f->fed[i].id, id, SG_JOURNAL_RECORD_ID) == 0;
    pthread_mutex_unlock(&f->lock);
    return n;
}

static void dir_remove(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

void fixture_free(struct fixture *f)
{
    sg_journal_close(&f->j);
    fixture_fed_clear(f);
    free(f->fed);
    pthread_mutex_destroy(&f->lock);
    dir_remove(f->journal);
    dir_remove(f->dir);
}

int fixture_setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    fixture_init(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_free(*state);
    free(*state);
    return 0;
}

bool fixture_append(struct fixture *f, const char *text, const struct sg_spool *original,
                    struct sg_journal_record *record_r, struct sg_error *err)
{
    *record_r = (struct sg_journal_record){
        .type = original ? SG_JOURNAL_RECEIVED : SG_JOURNAL_OUTCOME,
        .at = TEST_AT,
        .payload = sg_bytes_str(text),
    };
    return sg_journal_append(f->j, record_r, TEST_TENANT, original, err);
}

struct sg_journal_record fixture_must_append(struct fixture *f, const char *text,
                                             const struct sg_spool *original)
{
    struct sg_journal_record record;
    struct sg_error err = {0};
    if (!fixture_append(f, text, original, &record, &err))
        fail_msg("append: %s", err.detail);
    return record;
}

void fixture_await(bool (*so)(void *ctx), void *ctx)
{
    int64_t until = sg_clock_monotonic_ms() + 30000;
    while (!so(ctx)) {
        assert_true(sg_clock_monotonic_ms() < until);
        usleep(1000);
    }
}

void fixture_segment_path(const struct fixture *f, uint64_t number, char out[160])
{
    char name[SG_JOURNAL_FILE];
    sg_journal_file_name(number, name);
    snprintf(out, 160, "%s/%s", f->journal, name);
}

size_t fixture_files(const struct fixture *f, const char *suffix)
{
    size_t n = 0;
    DIR *dir = opendir(f->journal);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        size_t len = strlen(e->d_name), end = strlen(suffix);
        n += len >= end && strcmp(e->d_name + len - end, suffix) == 0;
    }
    closedir(dir);
    return n;
}

struct sg_spool *fixture_original(const struct fixture *f, size_t size, bool noise)
{
    const struct sg_spool_limits limits = {1 << 20, UINT64_MAX, f->dir};
    struct sg_spool *spool = sg_spool_new(&limits);
    struct sg_error err = {0};
    uint64_t state = 88172645463325252u + size;
    for (size_t done = 0; done < size;) {
        uint8_t block[4096];
        size_t n = size - done < sizeof block ? size - done : sizeof block;
        for (size_t i = 0; i < n; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block[i] = noise ? (uint8_t)state : (uint8_t) "Kia ora koutou katoa. "[(done + i) % 22];
        }
        if (!sg_spool_write(spool, block, n, &err))
            fail_msg("spool: %s", err.detail);
        done += n;
    }
    return spool;
}

struct comparison {
    const struct sg_spool *original;
    uint64_t at;
    bool same;
};

static bool compare(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct comparison *c = ctx;
    for (size_t done = 0, n; done < len; done += n) {
        uint8_t block[8192];
        size_t want = len - done < sizeof block ? len - done : sizeof block;
        if (!sg_spool_read(c->original, c->at + done, block, want, &n, err))
            return false;
        if (n != want || memcmp(block, (const uint8_t *)data + done, n) != 0)
            return sg_fail(err, SG_E_INTERNAL, "the original differs");
    }
    c->at += len;
    return true;
}

void fixture_assert_original(const struct fixture *f, const char *archive_ref,
                             const struct sg_spool *original)
{
    char node[SG_JOURNAL_NODE_MAX + 1], path[160], id[32];
    struct sg_error err = {0};
    struct sg_secret key = {0};
    uint64_t number, offset;
    if (!sg_journal_ref_parse(archive_ref, node, &number, &offset, &err))
        fail_msg("%s: %s", archive_ref, err.detail);
    assert_string_equal(node, f->options.node);
    fixture_segment_path(f, number, path);
    fixture_archive_key(TEST_TENANT, TEST_AT / SG_DAY, id, &key);
    struct comparison c = {.original = original};
    struct sg_sink sink = {compare, &c};
    if (!sg_journal_read_original(path, offset, &key, &sink, &err))
        fail_msg("%s: %s", archive_ref, err.detail);
    assert_int_equal(c.at, sg_spool_size(original));
}

uint8_t *file_read(const char *path, size_t *len_r)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *data = malloc((size_t)st.st_size + 1);
    assert_non_null(data);
    assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
    close(fd);
    *len_r = (size_t)st.st_size;
    return data;
}

void file_write(const char *path, const uint8_t *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}
