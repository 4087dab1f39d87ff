#include "domain/domain_internal.h"

#define BATCH 200

const struct sg_job_kind sg_ownership_kinds[] = {
    {"domain.check", domain_check_job, NULL},
    {"postmaster.send", postmaster_send_job, postmaster_send_give_up},
    {NULL, NULL, NULL},
};

bool sg_ownership_sweep(struct sg_db *db, sg_time now, struct sg_error *err)
{
    int count = BATCH;
    while (count == BATCH)
        if (!sg_ownership_due(db, now, BATCH, &count, err))
            return false;
    return true;
}
