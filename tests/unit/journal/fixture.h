/*
 * A journal in a directory of its own, with keys that follow from their binding (as hsmd's do from
 * its HSM) and a feed that remembers what it was handed.
 */
#ifndef SG_TEST_JOURNAL_FIXTURE_H
#define SG_TEST_JOURNAL_FIXTURE_H

#include "journal/journal_internal.h"
#include "journal/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

struct fed {
    uint8_t id[SG_JOURNAL_RECORD_ID];
    enum sg_journal_type type;
    sg_time at;
    char *payload;
    char archive_ref[96];
};

struct fixture {
    char dir[64]; /* removed at the end */
    char journal[96];
    struct sg_journal_options options;
    struct sg_journal *j;
    pthread_mutex_t lock;
    struct fed *fed;
    size_t fed_count, fed_cap;
    atomic_bool feed_fails, hsm_away;
    const char *refused;       /* by the feed, for good: what it stands in */
    _Atomic(const char *) odd; /* … by a query that fails; "": all */
    size_t slow;               /* more records than these take too long; 0: any number is good */
    atomic_ullong locked;      /* a segment whose key is not to be had; 0: none */
    atomic_size_t batch_most;  /* the largest batch that was handed on, taken or not */
    atomic_int feed_calls, keys_made, keys_opened, keys_refused;
};

void fixture_init(struct fixture *f);
void fixture_free(struct fixture *f);
/* Of a test: *state is a fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Opens with the system's calls, or with those of io; must work. */
void fixture_open(struct fixture *f, const struct journal_io *io);
void fixture_close(struct fixture *f);
void fixture_drain(struct fixture *f);
void fixture_fed_clear(struct fixture *f);
/* How often the id was fed. */
size_t fixture_fed_count(struct fixture *f, const uint8_t id[SG_JOURNAL_RECORD_ID]);

/* Appends text; original may be NULL. Tells what append said. */
bool fixture_append(struct fixture *f, const char *text, const struct sg_spool *original,
                    struct sg_journal_record *record_r, struct sg_error *err);
/* The same where it must work. */
struct sg_journal_record fixture_must_append(struct fixture *f, const char *text,
                                             const struct sg_spool *original);

/* Waits (polling) until what it asks for is so; fails the test after 30 s. */
void fixture_await(bool (*so)(void *ctx), void *ctx);

void fixture_segment_path(const struct fixture *f, uint64_t number, char out[160]);
/* How many files in the journal end with suffix. */
size_t fixture_files(const struct fixture *f, const char *suffix);

/* Deterministic octets: text that compresses, or noise that does not. */
struct sg_spool *fixture_original(const struct fixture *f, size_t size, bool noise);
void fixture_assert_original(const struct fixture *f, const char *archive_ref,
                             const struct sg_spool *original);
void fixture_archive_key(const char *tenant, int64_t day, char id_r[32], struct sg_secret *key_r);
bool fixture_key_make(void *ctx, const char *binding, struct sg_secret *key_r,
                      struct sg_buf *wrapped_r, struct sg_error *err);
bool fixture_key_open(void *ctx, const char *binding, struct sg_bytes wrapped,
                      struct sg_secret *key_r, struct sg_error *err);

/* A file as a whole; the caller frees. */
uint8_t *file_read(const char *path, size_t *len_r);
void file_write(const char *path, const uint8_t *data, size_t len);

#define TEST_TENANT "ten_00000000000000000000000001"
#define TEST_AT     ((sg_time)1795406645 * SG_SECOND) /* 2026-11-23 */

#endif
