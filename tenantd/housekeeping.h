/*
 * What tenantd does by the clock: partitions ahead of time (without them not even a job could be
 * made, for its row in the audit log has no place), the recurring jobs (jobs/schedule.h), and the
 * clearing away of jobs that ended.
 */
#ifndef SG_TENANTD_HOUSEKEEPING_H
#define SG_TENANTD_HOUSEKEEPING_H

#include "jobs/schedule.h"
#include "jobs/worker.h"

struct housekeeping_options {
    struct sg_db *db;
    const struct sg_job_schedule *schedules; /* live as long as the housekeeping */
    size_t schedule_count;
    /* What else is looked for each time; NULL: nothing. */
    bool (*sweep)(struct sg_db *db, sg_time now, struct sg_error *err);
    int64_t poll_ms; /* looks at the clock at least as often: a test may set it */
};

struct housekeeping;

/* At once, and then by the clock; after a failure again within seconds. */
SG_MUST_USE bool housekeeping_start(const struct housekeeping_options *options,
                                    struct housekeeping **keeping_r, struct sg_error *err);
/* Does it now: the database is back. */
void housekeeping_wake(struct housekeeping *keeping);
void housekeeping_stop(struct housekeeping **keeping);

/* struct housekeeping *: makes the partitions around now where that was not done this hour. */
SG_MUST_USE bool housekeeping_partitions(void *keeping, sg_time now, struct sg_error *err);

/* jobs.clean, with these as its ctx. */
struct housekeeping_clean {
    int64_t keep_ms, keep_dead_ms;
};
extern const struct sg_job_kind sg_housekeeping_kinds[];

#endif
