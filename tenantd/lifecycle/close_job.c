/* The end of a contract (REQ-142): at once for abuse, else when its notice period is over. */
#include "lifecycle/kinds.h"
#include "schema/tenant.h"

struct work {
    struct sg_arena *arena;
    const char *tenant_id;
    json_t *result;
};

static bool close_one(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct work *w = arg;
    bool closed;
    if (!sg_tenant_close(tx, w->arena, w->tenant_id, &closed, err))
        return false;
    json_decref(w->result);
    w->result = json_pack("{s:b}", "closed", closed);
    return true;
}

bool sg_tenant_close_job(struct sg_job *job, struct sg_error *err)
{
    struct work w = {.arena = job->arena};
    bool ok = sg_job_string(job, "tenant_id", &w.tenant_id, err) &&
              sg_job_commit(job, close_one, &w, &w.result, err);
    json_decref(w.result);
    return ok;
}

static bool look(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct work *w = arg;
    size_t count;
    if (!sg_tenant_close_due(tx, w->arena, &count, err))
        return false;
    json_decref(w->result);
    w->result = json_pack("{s:I}", "count", (json_int_t)count);
    return true;
}

bool sg_tenant_sweep_job(struct sg_job *job, struct sg_error *err)
{
    struct work w = {.arena = job->arena};
    bool ok = sg_job_commit(job, look, &w, &w.result, err);
    json_decref(w.result);
    return ok;
}
