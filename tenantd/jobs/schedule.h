/*
 * Recurring jobs. Time is cut into periods of every_ms since 1970; each period's job is made once,
 * however many tenantd run, by whoever comes first. What a period missed (nobody ran, the clock
 * jumped) is not made up for: the current period's job is made alone, and not even that while the
 * one before still waits or is at work.
 */
#ifndef SG_JOBS_SCHEDULE_H
#define SG_JOBS_SCHEDULE_H

#include "schema/job.h"

struct sg_job_schedule {
    const char *kind;
    int64_t every_ms;
    int max_attempts; /* 0: as any job's */
};

/* Makes what is due; *next_r is when the next period begins. */
SG_MUST_USE bool sg_schedules_run(struct sg_db *db, const struct sg_job_schedule *schedules,
                                  size_t count, sg_time now, sg_time *next_r, struct sg_error *err);

#endif
