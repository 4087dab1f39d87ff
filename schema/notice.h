/* The outbox of notices. */
#ifndef SG_SCHEMA_NOTICE_H
#define SG_SCHEMA_NOTICE_H

#include "schema/db.h"

struct sg_notice_row {
    const char *id; /* "ntc_…" */
    const char *msg_id, *tenant_id, *domain_id;
    const char *kind;                      /* "failure", "delayed", "non-delivery", "receipt" */
    const char *recipient;                 /* who gets the notice */
    const char *about;                     /* the first recipient it concerns; writing alone */
    struct sg_bytes original, wrapped_key; /* sealed like held mail */
    sg_time created_at, next_try_at;
    int attempts; /* set by reading alone */
};

/* Idempotent by (msg_id, kind, recipient, about). */
SG_MUST_USE bool sg_notice_insert(struct sg_db *db, const struct sg_notice_row *row,
                                  bool *inserted_r, struct sg_error *err);
/* Those due at now, whose next_try_at moves ahead by lease_ms. */
SG_MUST_USE bool sg_notice_claim_due(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                     int64_t lease_ms, int limit, struct sg_notice_row **rows_r,
                                     size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_notice_reschedule(struct sg_db *db, const char *id, sg_time next_try_at,
                                      const char *last_error, struct sg_error *err);
/* state "sent" or "failed"; original and key are emptied. */
SG_MUST_USE bool sg_notice_finish(struct sg_db *db, const char *id, const char *state,
                                  const char *last_error, sg_time now, struct sg_error *err);

#endif
