#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_job.h"

#include <stdlib.h>

json_t *api_job_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_job *j = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:s, s:o, s:o, s:o}", "id", j->key.id,
                     "tenant_id", j->tenant_id, "kind", j->kind, "state", j->state, "attempts",
                     (json_int_t)j->attempts, "max_attempts", (json_int_t)j->max_attempts, "run_at",
                     api_json_time(j->run_at), "last_error", j->last_error, "result",
                     api_json_parse(j->result), "created_at", api_json_time(j->key.at),
                     "finished_at", api_json_time_or_null(j->finished_at));
}

bool api_job_make(struct api_request *r, struct sg_tx *tx, const char *kind, json_t *payload,
                  struct sg_api_job *job_r, const char **location_r, struct sg_error *err)
{
    char *text = json_dumps(payload, JSON_COMPACT);
    json_decref(payload);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "the job could not be written as JSON");
    bool ok = sg_api_job_insert(tx, r->arena, r->tenant.key.id, kind, text, job_r, err);
    free(text);
    if (ok)
        *location_r =
            sg_arena_printf(r->arena, "/v1/tenants/%s/jobs/%s", r->tenant.key.id, job_r->key.id);
    return ok;
}

bool api_job_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_job *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_job_list(tx, r->arena, r->tenant.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, api_job_json);
}

bool api_job_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_job job;
    return sg_api_job_find(tx, r->arena, r->tenant.key.id, api_param(r, "job_id"), &job, err) &&
           api_reply_ok(r, api_job_json(r->arena, &job));
}
