/*
 * Workers: threads that take jobs out of the table and do them. A job's effect and its being done
 * are one transaction (sg_job_commit), which holds the claim: a worker that was killed or was too
 * slow leaves nothing half done, and what it did outside the database is done again. Hence each
 * kind is written so that doing it twice is as doing it once. While a job is at work its lease is
 * renewed, so that a lease says how soon a lost worker's job goes to another, not how long it may
 * take.
 *
 * A temporary error, or one of our own, is tried again with growing pauses up to the job's
 * max_attempts; a permanent one fails the job at once; last_error has the words. What failed for
 * good is `dead`: a person retries or cancels it through the API.
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
    void *ctx; /* of its kind's set */
    /* May be set by run before it fails with a temporary error: when it is tried again, in place of
     * the growing pause. */
    sg_time retry_at;
    bool postponed; /* by sg_job_later() */
};

struct sg_job_kind {
    const char *name; /* NULL ends an array */
    /* Ends with sg_job_commit() or sg_job_later(). */
    bool (*run)(struct sg_job *job, struct sg_error *err);
    /* What else is to be written when the job fails for good or is cancelled, in the same
     * transaction. May be NULL. */
    bool (*give_up)(struct sg_job *job, struct sg_tx *tx, struct sg_error *err);
};

/* The kinds of a package, `extern const struct sg_job_kind sg_<package>_kinds[]`, and what they
 * need: it becomes sg_job.ctx. */
struct sg_job_set {
    const struct sg_job_kind *kinds;
    void *ctx;
};

/*
 * The transaction that ends a job: holds the claim, runs fn (may be NULL), and writes the result
 * that is then in *result (a JSON object; may be made by fn; borrowed).
 */
SG_MUST_USE bool sg_job_commit(struct sg_job *job, sg_db_fn fn, void *arg, json_t *const *result,
                               struct sg_error *err);
/*
 * The same for a job that waits for something outside (a CA that answers 202): it is done again
 * from run_at on, and its attempts are counted anew. words say what it waits for.
 */
SG_MUST_USE bool sg_job_later(struct sg_job *job, sg_db_fn fn, void *arg, sg_time run_at,
                              const char *words, struct sg_error *err);
/*
 * A transaction in the middle of a job: holds the claim and runs fn, so that a step that is
 * committed is this worker's alone. The job goes on.
 */
SG_MUST_USE bool sg_job_step(struct sg_job *job, sg_db_fn fn, void *arg, struct sg_error *err);
/* A string of the payload; SG_E_INVALID where it is missing. */
SG_MUST_USE bool sg_job_string(const struct sg_job *job, const char *name, const char **value_r,
                               struct sg_error *err);

struct sg_workers_options {
    struct sg_db *db;
    const struct sg_job_set *sets; /* live as long as the workers */
    size_t set_count;
    int threads;
    int64_t lease_ms;   /* renewed while the job is at work */
    int64_t longest_ms; /* a job that takes longer is no longer renewed: it hangs */
    int64_t retry_ms;   /* first pause; doubles up to a hundredfold, give or take a quarter */
    int64_t poll_ms;    /* looks at least as often, should a notification be lost */
    /* Called before a job is looked for; false: not now. May be NULL. */
    bool (*prepare)(void *arg, sg_time now, struct sg_error *err);
    void *prepare_arg;
};

struct sg_workers;

SG_MUST_USE bool sg_workers_start(const struct sg_workers_options *options,
                                  struct sg_workers **workers_r, struct sg_error *err);
/* There may be something to do. */
void sg_workers_wake(struct sg_workers *workers);
/* Lets jobs in progress end. */
void sg_workers_stop(struct sg_workers **workers);

#endif
