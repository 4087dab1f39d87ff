/* Figures of the workers: jobs by kind and what became of them, and their time. */
#ifndef SG_JOBS_METRICS_H
#define SG_JOBS_METRICS_H

#include "common/metrics.h"
#include "jobs/worker.h"

enum sg_job_result {
    SG_JOB_DONE,
    SG_JOB_LATER_ON, /* waits for something outside */
    SG_JOB_RETRY,
    SG_JOB_DEAD,
    SG_JOB_CANCELLED,
    SG_JOB_RESULTS
};

/* Makes the kinds' labels; before workers are started. */
void sg_jobs_metrics_init(const struct sg_job_set *sets, size_t count);
void sg_jobs_count(const char *kind, enum sg_job_result result, int64_t began_us);

extern struct sg_metric *const sg_jobs_metrics[];

#endif
