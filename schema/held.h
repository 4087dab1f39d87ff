/*
 * Held mail (REQ-56): rows and the sealed body in chunks. One transaction holds the whole, so
 * that a held message is there entirely or not at all.
 */
#ifndef SG_SCHEMA_HELD_H
#define SG_SCHEMA_HELD_H

#include "schema/db.h"
#include "schema/notice.h"

#define SG_HELD_CHUNK_MAX ((size_t)256 * 1024)

struct sg_held_row {
    const char *id; /* "hld_…" */
    const char *msg_id, *tenant_id, *domain_id;
    const char *direction;            /* "outbound", "inbound" */
    const char *reason, *explanation; /* code of table 3, a sentence for the operator */
    const char *sender;
    const char *const *recipients; /* normalised, all of recipient_domain */
    size_t recipient_count;
    const char *recipient_domain;
    const char *queue_id;
    int64_t size_bytes;
    struct sg_bytes wrapped_key;
    sg_time received_at, held_at, next_try_at, expires_at;
    bool quarantined;    /* it waits for an administrator (REQ-110) … */
    sg_time approved_at; /* … who has released it then; 0: not yet; reading alone */
    int attempts;        /* reading alone */
    int releases;        /* how often somebody asked that it be tried; reading alone */
};
/* It waits for an administrator still. */
static inline bool sg_held_waits(const struct sg_held_row *row)
{
    return row->quarantined && !row->approved_at;
}

/*
 * Gives chunk seq (0, 1, …) of at most SG_HELD_CHUNK_MAX bytes; *end_r where there is none. It may
 * be asked for all of them again from 0. The view is good until the next call.
 */
typedef bool (*sg_held_chunk_give)(void *ctx, int seq, struct sg_bytes *data_r, bool *end_r,
                                   struct sg_error *err);
/* Idempotent: where (msg_id, recipient_domain) is held already, the recipients that are not among
 * its own are added to it and *inserted_r is false. */
SG_MUST_USE bool sg_held_insert(struct sg_db *db, const struct sg_held_row *row,
                                sg_held_chunk_give give, void *ctx, bool *inserted_r,
                                struct sg_error *err);
/*
 * Takes messages that are due at now. No other worker takes them until the lease has run out, even
 * where an administrator releases them meanwhile. One that waits for an administrator is taken when
 * its time is up alone.
 */
SG_MUST_USE bool sg_held_claim_due(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                   const struct sg_claim *claim, struct sg_held_row **rows_r,
                                   size_t *count_r, struct sg_error *err);
/* When the next one can be taken; 0: none is held. */
SG_MUST_USE bool sg_held_next_due(struct sg_db *db, sg_time *at_r, struct sg_error *err);

/* A domain for whose certificate mail waits: a partner's, and domains of ours whose mail it is, all
 * of which judge certificates alike; or our own, which is then the one domain. */
struct sg_held_wanting {
    const char *name, *domain_id;  /* the one of them that is to be asked for all */
    const char *const *domain_ids; /* all */
    size_t domain_count;
};
/* In their order, from behind `after` (NULL: the first) on, limit of them at most. */
SG_MUST_USE bool sg_held_wanting(struct sg_db *db, struct sg_arena *arena,
                                 const struct sg_held_wanting *after, int limit,
                                 struct sg_held_wanting **rows_r, size_t *count_r,
                                 struct sg_error *err);
SG_MUST_USE bool sg_held_wanting_own(struct sg_db *db, struct sg_arena *arena,
                                     const struct sg_held_wanting *after, int limit,
                                     struct sg_held_wanting **rows_r, size_t *count_r,
                                     struct sg_error *err);
/*
 * There is a certificate now, as was asked for: what waits for nothing else is due at once. What
 * failed for another reason since (the next hop is away) keeps its pause. Transactions of `portion`
 * messages, so that nobody waits for all of them.
 */
SG_MUST_USE bool sg_held_wake(struct sg_db *db, const struct sg_held_wanting *wanting, int portion,
                              sg_time now, struct sg_error *err);
SG_MUST_USE bool sg_held_wake_own(struct sg_db *db, const struct sg_held_wanting *wanting,
                                  int portion, sg_time now, struct sg_error *err);
/*
 * A certificate of a partner that was stored, or approved, since: all that waits for one is due at
 * once, `portion` messages in this call. *more_r: call again.
 */
SG_MUST_USE bool sg_held_wake_next(struct sg_db *db, int portion, sg_time now, bool *more_r,
                                   struct sg_error *err);

/* Hands over each chunk in order, one in memory at a time. */
typedef bool (*sg_held_chunk_take)(void *ctx, int seq, struct sg_bytes data, struct sg_error *err);
SG_MUST_USE bool sg_held_chunks(struct sg_db *db, const char *held_id, sg_held_chunk_take take,
                                void *ctx, struct sg_error *err);

/*
 * It, as it was taken, could not be sent again: attempts + 1, and the lease ends. next_try_at is at
 * most expires_at, until that has passed; where it was released meanwhile it stays due. No error
 * where it is not held any more.
 */
SG_MUST_USE bool sg_held_reschedule(struct sg_db *db, const struct sg_held_row *row,
                                    sg_time next_try_at, const char *reason,
                                    const char *explanation, const char *last_error,
                                    struct sg_error *err);
/* The same where it has to wait for an administrator now, whatever one said before. */
SG_MUST_USE bool sg_held_quarantine(struct sg_db *db, const char *held_id, const char *reason,
                                    const char *explanation, struct sg_error *err);
/* It is done with these recipients, who are taken off it; with the last of them it ends, in this
 * state ("sent", "expired"), and the chunks and the key go. The notices that tell of it (may be
 * NULL) are posted by the same transaction: nobody is told that it failed while it may be sent.
 * *finished_r: it has ended now. No error, and no notice, where it is not held any more. */
SG_MUST_USE bool sg_held_done(struct sg_db *db, const char *held_id, const char *state,
                              const char *const *recipients, size_t count,
                              const struct sg_notice_post *notices, sg_time now, bool *finished_r,
                              struct sg_error *err);
/* Is it held still (and not deleted meanwhile)? */
SG_MUST_USE bool sg_held_is(struct sg_db *db, const char *held_id, bool *held_r,
                            struct sg_error *err);
/* Octets of a tenant's mail that are held now. */
SG_MUST_USE bool sg_held_size(struct sg_db *db, const char *tenant_id, int64_t *size_r,
                              struct sg_error *err);
/* What is, or was, held of a message, the oldest first. */
struct sg_held_part {
    const char *id;
    const char *state; /* "held", "sent", "expired", "deleted" */
    const char *reason;
    const char *const *recipients; /* of sg_held_row, without those taken off it before its end */
    size_t recipient_count;
};
SG_MUST_USE bool sg_held_of_message(struct sg_db *db, struct sg_arena *arena, const char *msg_id,
                                    struct sg_held_part **parts_r, size_t *count_r,
                                    struct sg_error *err);

#endif
