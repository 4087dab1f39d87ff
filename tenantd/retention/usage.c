/*
 * A tenant's month in one transaction: what was closed stays closed, whatever becomes of the next.
 */
#include "schema/usage.h"
#include "common/log.h"
#include "retention/retention.h"

#define MONTH_MOST    (31 * SG_DAY)
#define TOO_LONG_MOST 10 /* tenants; with more of them it is the database */

struct counting {
    const struct sg_retention *settings;
    struct sg_arena *arena;
    struct sg_usage_part *parts;
    size_t count, next;
    const char *month; /* the last that was closed, or tried */
    bool changed;      /* by the last transaction */
    int too_long;      /* of which the statement did not come to its end */
    struct sg_error why;
};

static bool due(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct counting *c = arg;
    return sg_usage_due(tx, c->arena, c->settings->time_zone, c->settings->close_lag_ms, c->month,
                        &c->parts, &c->count, err);
}

static bool close_one(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct counting *c = arg;
    return sg_usage_close(tx, &c->parts[c->next], &c->changed, err);
}

static bool closed(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct counting *c = arg;
    sg_time since = sg_tx_now(tx) - (c->settings->adjust_months + 1) * MONTH_MOST;
    return sg_usage_closed_list(tx, c->arena, since, &c->parts, &c->count, err);
}

static bool adjust_one(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct counting *c = arg;
    return sg_usage_adjust(tx, &c->parts[c->next], &c->changed, err);
}

/* One whose mail is too much to be counted does not keep the others from it. */
static bool each(struct sg_job *job, struct counting *c, sg_db_fn fn, int64_t *changed,
                 struct sg_error *err)
{
    for (c->next = 0; c->next < c->count; c->next++) {
        const struct sg_usage_part *part = &c->parts[c->next];
        if (sg_job_step(job, fn, c, err)) {
            *changed += c->changed;
            continue;
        }
        if (err->code != SG_E_TIMEOUT || ++c->too_long > TOO_LONG_MOST)
            return false;
        c->why = *err;
        sg_log_error(SG_LOG_ERROR, "usage.too-long", err, "tenant", part->tenant_id, "month",
                     part->month, NULL);
    }
    return true;
}

bool sg_usage_close_job(struct sg_job *job, struct sg_error *err)
{
    struct counting c = {.settings = job->ctx, .arena = job->arena, .month = "-infinity"};
    int64_t closings = 0, adjusted = 0;
    do {
        if (!sg_job_step(job, due, &c, err) || !each(job, &c, close_one, &closings, err))
            return false;
        c.month = c.count ? c.parts[0].month : c.month;
    } while (c.count > 0);
    if (!sg_job_step(job, closed, &c, err) || !each(job, &c, adjust_one, &adjusted, err))
        return false;
    if (c.too_long) {
        *err = c.why;
        return false;
    }
    json_t *result =
        json_pack("{s:I, s:I}", "closed", (json_int_t)closings, "adjusted", (json_int_t)adjusted);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}
