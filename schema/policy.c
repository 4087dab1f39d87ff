#include "schema/policy.h"

#include "schema/db_internal.h"

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(int64_t *)arg = sg_row_int(r);
    return true;
}

bool sg_policy_hold_hours(struct sg_db *db, const char *domain_id, int64_t *hours_r,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    *hours_r = 0;
    return sg_db_read(db, NULL, SG_Q_POLICY_HOLD_HOURS, &p, take, hours_r, err);
}
