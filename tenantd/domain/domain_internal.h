#ifndef SG_DOMAIN_DOMAIN_INTERNAL_H
#define SG_DOMAIN_DOMAIN_INTERNAL_H

#include "domain/ownership.h"
#include "schema/ownership.h"

SG_MUST_USE bool domain_check_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool postmaster_send_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool postmaster_send_give_up(struct sg_job *job, struct sg_tx *tx,
                                         struct sg_error *err);

/* Tells the tenant by mail, and the provider by an incident, what has become of a domain. */
SG_MUST_USE bool domain_notice(struct sg_tx *tx, struct sg_arena *arena,
                               const struct sg_ownership *ownership,
                               const struct sg_ownership_row *row,
                               const struct sg_ownership_plan *plan, const char *words,
                               struct sg_error *err);

#endif
