/*
 * What a tenant's life asks for. Kinds and payloads:
 *
 *     tenant.close {"tenant_id"}                 the end of a contract (REQ-142)
 *     tenant.sweep {}                            those whose notice period is over
 *     tenant.export {"tenant_id", "export_id"}   a tar.zst in export_dir (REQ-156)
 *     export.clean {}                            those whose time is over
 *     held.bulk {"tenant_id", "action", …}       much held mail at once (schema/held_bulk.h)
 */
#ifndef SG_LIFECYCLE_LIFECYCLE_H
#define SG_LIFECYCLE_LIFECYCLE_H

#include "jobs/worker.h"

struct sg_lifecycle {
    const char *export_dir; /* "": no exports are made */
    sg_time export_keep;    /* how long a file stays */
};

extern const struct sg_job_kind sg_lifecycle_kinds[];

#endif
