/*
 * What a tenant's life asks for: the end of a contract (tenant.close, tenant.sweep), and work on
 * much held mail at once (held.bulk). tenant.close {"tenant_id"} tenant.sweep {}            the
 * cancelled ones whose notice period is over held.bulk {"tenant_id", "action":
 * "release"|"retry"|"delete", "until": microseconds, "domain_id", "recipient_domain", "sender",
 * "reason"}   result: {"count"}
 */
#ifndef SG_LIFECYCLE_LIFECYCLE_H
#define SG_LIFECYCLE_LIFECYCLE_H

#include "jobs/worker.h"

extern const struct sg_job_kind sg_lifecycle_kinds[];

#endif
