#include "schema/usage.h"
#include "retention/retention.h"

#define MONTH_MOST (31 * SG_DAY)

struct closing {
    const struct sg_retention *settings;
    json_t *result; /* made anew at each try */
};

static bool close_months(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct closing *c = arg;
    const struct sg_retention *s = c->settings;
    int64_t closed = 0, adjusted = 0;
    if (!sg_usage_close(tx, s->time_zone, s->close_lag_ms,
                        sg_tx_now(tx) - (s->adjust_months + 1) * MONTH_MOST, &closed, &adjusted,
                        err))
        return false;
    json_decref(c->result);
    c->result =
        json_pack("{s:I, s:I}", "closed", (json_int_t)closed, "adjusted", (json_int_t)adjusted);
    return true;
}

bool sg_usage_close_job(struct sg_job *job, struct sg_error *err)
{
    struct closing c = {.settings = job->ctx};
    bool ok = sg_job_commit(job, close_months, &c, &c.result, err);
    json_decref(c.result);
    return ok;
}
