/* The kinds' functions; see lifecycle.h. */
#ifndef SG_LIFECYCLE_KINDS_H
#define SG_LIFECYCLE_KINDS_H

#include "jobs/worker.h"

SG_MUST_USE bool sg_tenant_close_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_tenant_sweep_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_tenant_export_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_tenant_export_give_up(struct sg_job *job, struct sg_tx *tx,
                                          struct sg_error *err);
SG_MUST_USE bool sg_export_clean_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_held_bulk_job(struct sg_job *job, struct sg_error *err);

#endif
