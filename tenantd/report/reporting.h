/*
 * Reports: the jobs that make them. Kinds and payloads:
 *     report.due {}                                 asks for what is due; by the clock
 *     report.make {"kind", "period", "asked_by"}    of the job's tenant, or of the platform
 *     report.mail {"report_id"}                     to its recipients (delivery.h)
 *
 * What is made by the clock is mailed; the breach and compliance reports of the platform, which go
 * to the administrator of SecureMail, when the security officer has signed them.
 *
 * A report is read in one snapshot of the database. Made anew with the same numbers it is the same
 * report; with others it becomes the next revision, which says in words where it differs and what
 * of the log had changed.
 */
#ifndef SG_REPORTING_REPORTING_H
#define SG_REPORTING_REPORTING_H

#include "jobs/worker.h"
#include "mail/mail.h"

struct sg_reporting {
    const char *time_zone;     /* whose months and days they are */
    const char *provider;      /* its name */
    int64_t delay_ms;          /* from the end of the month until its reports are made */
    int64_t sign_within_ms;    /* from then: later an incident says that nobody has signed */
    const char *administrator; /* of SecureMail: an address; "": none */
    const struct sg_mail_server *mail;
};

/* ctx: struct sg_reporting. */
extern const struct sg_job_kind sg_report_kinds[];

#endif
