/*
 * A spool: the bytes of one message, in memory up to a limit, beyond it in an unlinked file that is
 * encrypted under a key of its own, which nobody has but this process (REQ-126). It is written from
 * front to back and then read at any place. One thread at a time writes; readers of a finished
 * spool may be many.
 */
#ifndef SG_SPOOL_SPOOL_H
#define SG_SPOOL_SPOOL_H

#include "common/bytes.h"
#include "common/error.h"

struct sg_spool_limits {
    size_t memory_bytes; /* kept in memory in any case; more of what all share, below */
    uint64_t max_bytes;  /* a longer message is SG_E_LIMIT */
    const char *dir;     /* of the unlinked files; outlives the spool */
};

/*
 * What all spools of the process may keep in memory beyond their own memory_bytes, and one of them
 * at most: a file costs a message of middle size more than its encryption. Whoever comes when it is
 * used up goes to the file as before. Begins with none.
 */
void sg_spool_share(size_t all_bytes, size_t each_bytes);
size_t sg_spool_shared_now(void); /* what of it is taken */

struct sg_spool;

/* Whether its directory has room for a MiB just now; nothing is left of it. */
SG_MUST_USE bool sg_spool_probe(const struct sg_spool_limits *limits, struct sg_error *err);

struct sg_spool *sg_spool_new(const struct sg_spool_limits *limits);
/* Wipes what is in memory. */
void sg_spool_free(struct sg_spool **spool);

/* What several spools may hold at once, and do: beyond it is SG_E_LIMIT. One thread writes and
 * frees them all, and it outlives them. */
struct sg_spool_sum {
    uint64_t max_bytes, bytes;
};
/* An empty spool counts there from now on; NULL: nowhere. */
void sg_spool_count(struct sg_spool *spool, struct sg_spool_sum *sum);

SG_MUST_USE bool sg_spool_write(struct sg_spool *spool, const void *data, size_t len,
                                struct sg_error *err);
uint64_t sg_spool_size(const struct sg_spool *spool);
/* Reads up to len at offset; *n_r is less only at the end. */
SG_MUST_USE bool sg_spool_read(const struct sg_spool *spool, uint64_t offset, void *data,
                               size_t len, size_t *n_r, struct sg_error *err);

/* Where bytes go: a spool, a connection, a digest. */
struct sg_sink {
    bool (*write)(void *ctx, const void *data, size_t len, struct sg_error *err);
    void *ctx;
};
SG_MUST_USE static inline bool sg_sink_write(const struct sg_sink *sink, const void *data,
                                             size_t len, struct sg_error *err)
{
    return sink->write(sink->ctx, data, len, err);
}
struct sg_sink sg_spool_sink(struct sg_spool *spool);
/* Copies a range into a sink; len UINT64_MAX is all that follows offset. */
SG_MUST_USE bool sg_spool_copy(const struct sg_spool *spool, uint64_t offset, uint64_t len,
                               const struct sg_sink *sink, struct sg_error *err);

static inline void sg_spool_cleanup(struct sg_spool **spool)
{
    sg_spool_free(spool);
}
#define SG_AUTO_SPOOL __attribute__((cleanup(sg_spool_cleanup))) struct sg_spool *

#endif
