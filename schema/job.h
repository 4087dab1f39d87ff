/*
 * Jobs: made by apid (and by tenantd itself), done by tenantd. A worker claims one with a lease; a
 * job whose lease has run out (its worker was killed) is claimed again. States: queued, running,
 * done; dead (failed for good; may be retried or cancelled through the API), cancelled.
 * Leases are in real time, everything else in that of sg_clock.
 */
#ifndef SG_SCHEMA_JOB_H
#define SG_SCHEMA_JOB_H

#include "schema/db.h"

enum { SG_JOB_URGENT = 0, SG_JOB_NORMAL = 5, SG_JOB_LATER = 9 };

struct sg_job_new {
    const char *id;           /* "job_…"; NULL: one is made */
    const char *tenant_id;    /* NULL: the platform's */
    const char *kind;         /* "key.generate" */
    const char *payload_json; /* an object; NULL: {} */
    int max_attempts;         /* 0: 10 */
    int priority;             /* SG_JOB_URGENT (0) to SG_JOB_LATER (9); mind that 0 is first */
    sg_time run_at;           /* 0: at once, which wakes a worker */
    /* While one of this key is queued or running no second is made. Begin it with the kind; it is
     * the platform's, so let it hold the id of what it is about. NULL: none. */
    const char *unique_key;
    bool once; /* nor while one of the key that has ended is kept ([jobs] keep of tenantd) */
};

/* made_r (may be NULL): false where one of its unique_key is there already. */
SG_MUST_USE bool sg_job_insert(struct sg_tx *tx, const struct sg_job_new *job, bool *made_r,
                               struct sg_error *err);

/* Is the period that began then still to be asked for? Then job_id is noted as its job. */
SG_MUST_USE bool sg_job_schedule_take(struct sg_tx *tx, const char *kind, sg_time period,
                                      int64_t every_ms, const char *job_id, bool *taken_r,
                                      struct sg_error *err);

struct sg_job_row {
    const char *id, *tenant_id; /* tenant_id NULL: the platform's */
    const char *kind, *payload; /* JSON text */
    int attempts;               /* this one included */
    int max_attempts;
    bool cancel; /* not to be done any more */
};

/*
 * Takes a job for lease_ms: one that a lost worker left, else by priority, with the tenants of one
 * priority in turn; last_tenant is whom this worker served last ("" none, "-" the platform).
 * attempts > max_attempts: its worker was lost at the last attempt, and it is to be given up.
 */
SG_MUST_USE bool sg_job_claim(struct sg_db *db, struct sg_arena *arena, const char *worker,
                              const char *last_tenant, sg_time now, int64_t lease_ms,
                              struct sg_job_row *row_r, bool *found_r, struct sg_error *err);
/* Keeps the claim for lease_ms from now; kept_r false: it went to another. */
SG_MUST_USE bool sg_job_renew(struct sg_db *db, const char *id, const char *worker, int attempt,
                              int64_t lease_ms, bool *kept_r, struct sg_error *err);
/* How long until the next one is due or a lease runs out; -1: there is none. */
SG_MUST_USE bool sg_job_next_due(struct sg_db *db, sg_time now, int64_t *wait_ms_r,
                                 struct sg_error *err);

/* Is the claim still this worker's? Locks the row until the transaction ends; SG_E_CONFLICT when
 * the lease went to another. To be called by each transaction of a job that changes something. */
SG_MUST_USE bool sg_job_hold(struct sg_tx *tx, const char *id, const char *worker, int attempt,
                             bool *cancel_r, struct sg_error *err);
/* Done, with a JSON object as the result; in the transaction of the job's own effect. */
SG_MUST_USE bool sg_job_done(struct sg_tx *tx, const char *id, const char *result_json,
                             struct sg_error *err);
/* Dead (retry_at 0), or to be tried again then; cancelled where that was asked for. */
SG_MUST_USE bool sg_job_failed(struct sg_tx *tx, const char *id, const char *last_error,
                               sg_time retry_at, struct sg_error *err);
/* To be done at a later time, with its attempts counted anew. */
SG_MUST_USE bool sg_job_postpone(struct sg_tx *tx, const char *id, sg_time run_at,
                                 const char *words, struct sg_error *err);
/* Deletes up to limit jobs that ended before then; dead ones are kept since another time. */
SG_MUST_USE bool sg_job_clean(struct sg_db *db, sg_time before, sg_time dead_before, int limit,
                              int *deleted_r, struct sg_error *err);

#endif
