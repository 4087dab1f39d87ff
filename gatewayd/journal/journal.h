/*
 * The node's journal: what was received and what became of it, on disk before anything is sent or
 * answered. Appends of all messages in flight share group commits (one fdatasync each). A feeder
 * thread hands records on (to PostgreSQL) in batches and in order; after a crash the open segments
 * are replayed from the last position that was fed. Segments are the archive.
 *
 * Sealed: records are AES-256-GCM under the segment's data key, which hsmd wraps (class JOURNAL);
 * originals are zstd, then AES-256-GCM under the archive data key of (node, tenant, day), which
 * only tenantd's side can open. A torn tail is cut off at open.
 */
#ifndef SG_JOURNAL_JOURNAL_H
#define SG_JOURNAL_JOURNAL_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/metrics.h"
#include "common/secret.h"
#include "spool/spool.h"

enum sg_journal_type { SG_JOURNAL_RECEIVED = 1, SG_JOURNAL_OUTCOME };

#define SG_JOURNAL_RECORD_ID  16
#define SG_JOURNAL_RECORD_MAX (4u << 20) /* octets of its payload */

/* A record as it is appended and as it is fed. payload is the pipeline's own (pipeline/record.h).
 */
struct sg_journal_record {
    enum sg_journal_type type;
    uint8_t id[SG_JOURNAL_RECORD_ID]; /* random; set by append */
    sg_time at;
    struct sg_bytes payload;
    char archive_ref[96]; /* RECEIVED: "NODE/SEGMENT@OFFSET" of the original; set by append */
};

struct sg_journal_keys {
    void *ctx;
    /* Through hsmd. */
    bool (*make)(void *ctx, const char *binding, struct sg_secret *key_r, struct sg_buf *wrapped_r,
                 struct sg_error *err);
    bool (*open)(void *ctx, const char *binding, struct sg_bytes wrapped, struct sg_secret *key_r,
                 struct sg_error *err);
    /* The archive data key of tenant and day (days since 1970): its id and its 32 bytes. Made,
     * wrapped to the archive key and stored in PostgreSQL by the caller, who caches it. */
    bool (*archive)(void *ctx, const char *tenant, int64_t day, char id_r[32],
                    struct sg_secret *key_r, struct sg_error *err);
};

struct sg_journal_options {
    const char *dir;        /* node's journal directory, 0700 */
    const char *node;       /* name of the node */
    uint64_t segment_bytes; /* a new segment is begun beyond this */
    int64_t append_timeout_ms;
    int64_t feed_interval_ms; /* at most this long until a record is fed (1000) */
    size_t feed_batch;        /* records at most */
    int64_t unreadable_ms; /* so long what the disk cannot read is tried again, then passed over */
    int64_t refused_ms; /* so long what a query fails for is tried as it is (SG_E_DB_QUERY …) */
    /* Takes a batch, in order, all or nothing; may be handed the same again after a crash. false:
     * tried again later, with back-off; SG_E_INVALID, SG_E_CONFLICT, SG_E_MALFORMED: one of it is
     * never taken, the others are handed on without it. SG_E_DB_QUERY, SG_E_FORBIDDEN: perhaps one
     * of it, which is looked for after refused_ms; SG_E_TIMEOUT: less of it is handed on. */
    bool (*feed)(void *ctx, const struct sg_journal_record *records, size_t count,
                 struct sg_error *err);
    void *feed_ctx;
    struct sg_journal_keys keys;
};

struct sg_journal;
struct journal_append; /* one that was begun */

/* Opens, cuts a torn tail, and starts the feeder (which replays). */
SG_MUST_USE bool sg_journal_open(const struct sg_journal_options *options,
                                 struct sg_journal **journal_r, struct sg_error *err);
/*
 * Appends and returns once it is on disk. original (may be NULL) is the message as it came, sealed
 * for tenant. record->id and archive_ref are set.
 */
SG_MUST_USE bool sg_journal_append(struct sg_journal *journal, struct sg_journal_record *record,
                                   const char *tenant, const struct sg_spool *original,
                                   struct sg_error *err);
/* Waits until everything appended so far has been fed; for tests and the orderly stop. */
SG_MUST_USE bool sg_journal_drain(struct sg_journal *journal, int64_t timeout_ms,
                                  struct sg_error *err);
/*
 * The same in two halves: between them the record may be on disk or not, and whatever others bring
 * there takes it along. record, and its payload, live until finish; original is no longer needed
 * after begin. What was begun is finished, whatever happens; the append is freed. archive_ref is
 * set by finish.
 */
SG_MUST_USE bool sg_journal_begin(struct sg_journal *journal, struct sg_journal_record *record,
                                  const char *tenant, const struct sg_spool *original,
                                  struct journal_append **append_r, struct sg_error *err);
SG_MUST_USE bool sg_journal_finish(struct sg_journal *journal, struct journal_append **append,
                                   struct sg_error *err);
void sg_journal_close(struct sg_journal **journal);
/*
 * false: the last append did not come to the disk, or waited for it in vain, and the disk has not
 * taken anything since: it is tried with a file of 1 MiB, at most once a second, so that the answer
 * changes without a record too. May hang as long as the disk does. One thread asks.
 */
SG_MUST_USE bool sg_journal_health(struct sg_journal *journal, struct sg_error *err);
/* false: the last append did not come to the disk, for whatever reason, and none has since. */
bool sg_journal_takes(struct sg_journal *journal);
/* Records that are on disk and not yet fed. */
uint64_t sg_journal_backlog(struct sg_journal *journal);
/* For how long the oldest of them has been there, or less than twice as long; 0: there is none. */
int64_t sg_journal_oldest_ms(struct sg_journal *journal);
/* The segment that the feed stands in, also after a crash: with those before it it is done, but for
 * what was set aside. 0: nothing was fed yet. */
uint64_t sg_journal_fed_segment(struct sg_journal *journal);
/* Records that the feed would never have taken, and has not, and those of segments that were given
 * up: they are in their segments alone, and are tried again when the journal is opened. */
uint64_t sg_journal_set_aside(struct sg_journal *journal);

/* Of the whole process. */
extern struct sg_metric *const sg_journal_metrics[];

#endif
