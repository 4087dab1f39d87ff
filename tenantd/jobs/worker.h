/*
 * Workers: threads that take jobs out of the table and do them. A job's effect and its being done
 * are one transaction (sg_job_commit), which holds the claim: a worker that was killed or was too
 * slow leaves nothing half done, and what it did outside the database is done again. Hence each
 * kind is written so that doing it twice is as doing it once.
 *
 * A temporary error, or one of our own, is tried again with growing pauses up to the job's
 * max_attempts; a permanent one fails the job at once, with its words in last_error.
 */
#ifndef SG_JOBS_WORKER_H
#define SG_JOBS_WORKER_H

#include "schema/db.h"
#include "schema/job.h"

#include <jansson.h>

/* A job at work. Everything lives until run returns. */
struct sg_job {
    const struct sg_job_row *row;
    json_t *payload;
    struct sg_db *db;
    struct sg_arena *arena;
    const char *worker;
    void *ctx; /* of the workers' options */
};

struct sg_job_kind {
    const char *name;
    /* Ends with sg_job_commit(). */
    bool (*run)(struct sg_job *job, struct sg_error *err);
    /* What else is to be written when the job fails for good, in the same transaction. May be NULL.
     */
    bool (*give_up)(struct sg_job *job, struct sg_tx *tx, struct sg_error *err);
};

/*
 * The transaction that ends a job: holds the claim, runs fn (may be NULL), and writes the result
 * that is then in *result (a JSON object; may be made by fn; borrowed).
 */
SG_MUST_USE bool sg_job_commit(struct sg_job *job, sg_db_fn fn, void *arg, json_t *const *result,
                               struct sg_error *err);
/* A string of the payload; SG_E_INVALID where it is missing. */
SG_MUST_USE bool sg_job_string(const struct sg_job *job, const char *name, const char **value_r,
                               struct sg_error *err);

struct sg_workers_options {
    struct sg_db *db;
    const struct sg_job_kind *kinds;
    size_t kind_count;
    void *ctx;
    int threads;
    int64_t lease_ms; /* longer than any job takes */
    int64_t retry_ms; /* first pause; doubles up to a hundredfold */
    int64_t poll_ms;  /* looks at least as often, should a notification be lost */
};

struct sg_workers;

SG_MUST_USE bool sg_workers_start(const struct sg_workers_options *options,
                                  struct sg_workers **workers_r, struct sg_error *err);
/* There may be something to do. */
void sg_workers_wake(struct sg_workers *workers);
/* Lets jobs in progress end. */
void sg_workers_stop(struct sg_workers **workers);

#endif
