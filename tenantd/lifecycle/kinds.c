#include "lifecycle/kinds.h"

#include "lifecycle/lifecycle.h"

const struct sg_job_kind sg_lifecycle_kinds[] = {
    {"tenant.close", sg_tenant_close_job, NULL},
    {"tenant.sweep", sg_tenant_sweep_job, NULL},
    {"tenant.export", sg_tenant_export_job, sg_tenant_export_give_up},
    {"export.clean", sg_export_clean_job, NULL},
    {"held.bulk", sg_held_bulk_job, NULL},
    {NULL, NULL, NULL},
};
