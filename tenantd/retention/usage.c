/*
 * A month of a portion of the tenants in one transaction: what was closed stays closed, whatever
 * becomes of the next.
 */
#include "schema/usage.h"
#include "retention/retention.h"

#define MONTH_MOST (31 * SG_DAY)

struct closing {
    const struct sg_retention *settings;
    struct sg_arena *arena;
    struct sg_usage_closed *months; /* to be looked at again */
    size_t count, next;
    const char *after; /* the tenant that was looked at last */
    int64_t changed;   /* by the last transaction */
};

static bool close_one(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct closing *c = arg;
    return sg_usage_close(tx, c->settings->time_zone, c->settings->close_lag_ms, &c->changed, err);
}

static bool closed_list(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct closing *c = arg;
    sg_time since = sg_tx_now(tx) - (c->settings->adjust_months + 1) * MONTH_MOST;
    return sg_usage_closed_list(tx, c->arena, since, &c->months, &c->count, err);
}

static bool adjust_one(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct closing *c = arg;
    return sg_usage_adjust(tx, c->arena, &c->months[c->next], &c->after, &c->changed, err);
}

bool sg_usage_close_job(struct sg_job *job, struct sg_error *err)
{
    struct closing c = {.settings = job->ctx, .arena = job->arena};
    int64_t closed = 0, adjusted = 0;
    do {
        if (!sg_job_step(job, close_one, &c, err))
            return false;
        closed += c.changed;
    } while (c.changed > 0);
    if (!sg_job_step(job, closed_list, &c, err))
        return false;
    for (c.next = 0; c.next < c.count; c.next++) {
        c.after = "";
        do {
            if (!sg_job_step(job, adjust_one, &c, err))
                return false;
            adjusted += c.changed;
        } while (*c.after);
    }
    json_t *result =
        json_pack("{s:I, s:I}", "closed", (json_int_t)closed, "adjusted", (json_int_t)adjusted);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}
