/* Reports on their way: sealed, through our own gateway. */
#ifndef SG_REPORTING_DELIVERY_H
#define SG_REPORTING_DELIVERY_H

#include "jobs/worker.h"

/* report.mail {"report_id"}: to all its recipients; ends when the retention log says that each went
 * out sealed, or what went wrong, which is an incident then. */
SG_MUST_USE bool sg_report_mail(struct sg_job *job, struct sg_error *err);
/* Asks for it. */
SG_MUST_USE bool sg_report_mail_ask(struct sg_tx *tx, struct sg_arena *arena, const char *report_id,
                                    const char *tenant_id, struct sg_error *err);
/* Asks for those whose delivery failed a while ago. */
SG_MUST_USE bool sg_report_mail_again(struct sg_tx *tx, struct sg_arena *arena,
                                      struct sg_error *err);
/* An incident for each report that waits for a signature for longer than that. */
SG_MUST_USE bool sg_report_unsigned_watch(struct sg_tx *tx, struct sg_arena *arena,
                                          int64_t within_ms, struct sg_error *err);

#endif
