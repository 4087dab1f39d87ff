/*
 * Jobs about the log as it ages: usage.close (months are frozen for billing) and retention.dispose
 * (what no policy keeps is deleted, REQ-133), both by schedule.
 */
#ifndef SG_RETENTION_RETENTION_H
#define SG_RETENTION_RETENTION_H

#include "jobs/worker.h"

/* The ctx of the kinds. */
struct sg_retention {
    const char *time_zone; /* of billing months */
    int64_t close_lag_ms;  /* a month is closed that long after its end */
    int64_t adjust_months; /* so many closed months are looked at again */
    int64_t dispose_batch; /* rows deleted in one transaction */
};

SG_MUST_USE bool sg_usage_close_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_retention_dispose_job(struct sg_job *job, struct sg_error *err);

extern const struct sg_job_kind sg_retention_kinds[];

#endif
