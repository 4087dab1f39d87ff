/*
 * Reports: the jobs that make them. Kinds and payloads:
 *     report.due {}                                 asks for what is due; by the clock
 *     report.make {"kind", "period", "asked_by"}    of the job's tenant, or of the platform
 *
 * A report is read in one snapshot of the database. Made anew with the same numbers it is the same
 * report; with others it becomes the next revision, which says in words where it differs and what
 * of the log had changed.
 */
#ifndef SG_REPORTING_REPORTING_H
#define SG_REPORTING_REPORTING_H

#include "jobs/worker.h"

struct sg_reporting {
    const char *time_zone; /* whose months and days they are */
    const char *provider;  /* its name */
    int64_t delay_ms;      /* from the end of the month until its reports are made */
};

/* ctx: struct sg_reporting. */
extern const struct sg_job_kind sg_report_kinds[];

#endif
