/* Answers kept for requests that are sent again (Idempotency-Key), in the transaction of their
 * effect. */
#ifndef SG_SCHEMA_IDEMPOTENCY_H
#define SG_SCHEMA_IDEMPOTENCY_H

#include "schema/db.h"

struct sg_idempotency_key {
    const char *caller;          /* "cli_…", "tok_…" */
    const char *key;             /* as the caller chose it */
    const char *tenant_id;       /* of the caller; NULL: the platform's */
    struct sg_bytes fingerprint; /* 32 bytes: of method, path and body */
};
struct sg_idempotency_answer {
    struct sg_bytes fingerprint;
    int64_t status;
    const char *location, *body; /* NULL: none */
    struct sg_bytes secret;      /* sealed; empty: none */
};

/*
 * Takes the key for this transaction, for ttl_ms; *taken_r false: it has an answer already, which
 * is in answer_r. While another transaction has the key this one waits, wait_ms at most, and then
 * fails with SG_E_IN_PROGRESS.
 */
SG_MUST_USE bool sg_idempotency_claim(struct sg_tx *tx, struct sg_arena *arena,
                                      const struct sg_idempotency_key *key, int64_t ttl_ms,
                                      int64_t wait_ms, bool *taken_r,
                                      struct sg_idempotency_answer *answer_r, struct sg_error *err);
SG_MUST_USE bool sg_idempotency_store(struct sg_tx *tx, const struct sg_idempotency_key *key,
                                      const struct sg_idempotency_answer *answer,
                                      struct sg_error *err);
/* Deletes what has expired, limit rows at most; for sg_tenant. */
SG_MUST_USE bool sg_idempotency_expire(struct sg_tx *tx, int limit, int *count_r,
                                       struct sg_error *err);

/* Until the end of the transaction no other that asks for the lock of this path goes on. */
SG_MUST_USE bool sg_api_path_lock(struct sg_tx *tx, const char *path, struct sg_error *err);

#endif
