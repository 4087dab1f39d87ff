/*
 * Jobs: made by apid (and by tenantd itself), done by tenantd. A worker claims one with a lease; a
 * job whose lease has run out (its worker was killed) is claimed again. Kinds and payloads:
 *     key.generate {"key_id"}   key.csr {"key_id"}   archive.key {"quarter"}
 *     certificate.install {"domain_id", "certificates": [base64 DER, leaf first]}
 */
#ifndef SG_SCHEMA_JOB_H
#define SG_SCHEMA_JOB_H

#include "schema/db.h"

/* id "job_…"; tenant_id NULL: the platform's. Due at once, which wakes a worker. */
SG_MUST_USE bool sg_job_insert(struct sg_tx *tx, const char *id, const char *tenant_id,
                               const char *kind, const char *payload_json, int max_attempts,
                               struct sg_error *err);

/* Is one of this kind waiting, at work, or failed within the last hour? */
SG_MUST_USE bool sg_job_open(struct sg_tx *tx, const char *kind, bool *open_r,
                             struct sg_error *err);

struct sg_job_row {
    const char *id, *tenant_id; /* tenant_id NULL: the platform's */
    const char *kind, *payload; /* JSON text */
    int attempts;               /* this one included */
    int max_attempts;
};

/*
 * Takes the job that has been due longest, for lease_ms. attempts > max_attempts: its worker was
 * lost at the last attempt, and it is to be given up.
 */
SG_MUST_USE bool sg_job_claim(struct sg_db *db, struct sg_arena *arena, const char *worker,
                              sg_time now, int64_t lease_ms, struct sg_job_row *row_r,
                              bool *found_r, struct sg_error *err);
/* When the next one is due or a lease runs out; 0: there is none. */
SG_MUST_USE bool sg_job_next_due(struct sg_db *db, sg_time *at_r, struct sg_error *err);

/* Is the claim still this worker's? Locks the row until the transaction ends; SG_E_CONFLICT when
 * the lease went to another. To be called by each transaction of a job that changes something. */
SG_MUST_USE bool sg_job_hold(struct sg_tx *tx, const char *id, const char *worker, int attempt,
                             struct sg_error *err);
/* Done, with a JSON object as the result; in the transaction of the job's own effect. */
SG_MUST_USE bool sg_job_done(struct sg_tx *tx, const char *id, const char *result_json,
                             struct sg_error *err);
/* Failed for good (retry_at 0), or to be tried again then. */
SG_MUST_USE bool sg_job_failed(struct sg_tx *tx, const char *id, const char *last_error,
                               sg_time retry_at, struct sg_error *err);

#endif
