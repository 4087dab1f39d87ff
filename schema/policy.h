/* What gatewayd acts on of the policies that platform, tenant and domain have (api_policy.h). */
#ifndef SG_SCHEMA_POLICY_H
#define SG_SCHEMA_POLICY_H

#include "schema/db.h"

/* For how many hours mail of a domain is held at most; 0: no level says so. */
SG_MUST_USE bool sg_policy_hold_hours(struct sg_db *db, const char *domain_id, int64_t *hours_r,
                                      struct sg_error *err);

#endif
