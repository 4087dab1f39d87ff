#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_job.h"

#include <stdlib.h>

static const char *const states[] = {"queued", "running", "done", "dead", "cancelled", NULL};

struct job_query {
    struct api_page_query page;
    struct sg_api_job_filter filter;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct job_query, filter.state),
     .optional = true,
     .choices = states},
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct job_query, filter.kind),
     .optional = true,
     .min = 1,
     .max = 60},
};
const struct api_spec api_job_query = {query_fields, 4, sizeof(struct job_query), NULL};

json_t *api_job_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_job *j = row;
    return json_pack("{s:s, s:o, s:s, s:s, s:I, s:I, s:I, s:o, s:b, s:s, s:o, s:o, s:o}", "id",
                     j->key.id, "tenant_id", api_json_text_or_null(j->tenant_id), "kind", j->kind,
                     "state", j->state, "priority", (json_int_t)j->priority, "attempts",
                     (json_int_t)j->attempts, "max_attempts", (json_int_t)j->max_attempts, "run_at",
                     api_json_time(j->run_at), "cancel", j->cancel, "last_error", j->last_error,
                     "result", api_json_parse(j->result), "created_at", api_json_time(j->key.at),
                     "finished_at", api_json_time_or_null(j->finished_at));
}

bool api_job_make_once(struct api_request *r, struct sg_tx *tx, const char *kind, json_t *payload,
                       const char *unique_key, struct sg_api_job *job_r, const char **location_r,
                       struct sg_error *err)
{
    char *text = json_dumps(payload, JSON_COMPACT);
    json_decref(payload);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "the job could not be written as JSON");
    struct sg_job_new job = {.tenant_id = r->tenant.key.id,
                             .kind = kind,
                             .payload_json = text,
                             .priority = SG_JOB_NORMAL,
                             .unique_key = unique_key};
    bool ok = sg_api_job_insert(tx, r->arena, &job, job_r, err);
    free(text);
    if (ok)
        *location_r = job.tenant_id ? sg_arena_printf(r->arena, "/v1/tenants/%s/jobs/%s",
                                                      job.tenant_id, job_r->key.id)
                                    : sg_arena_printf(r->arena, "/v1/jobs/%s", job_r->key.id);
    return ok;
}

bool api_job_make(struct api_request *r, struct sg_tx *tx, const char *kind, json_t *payload,
                  struct sg_api_job *job_r, const char **location_r, struct sg_error *err)
{
    return api_job_make_once(r, tx, kind, payload, NULL, job_r, location_r, err);
}

/* Under /v1/jobs there is no tenant in the path: the provider sees all. */
static const char *tenant_of(const struct api_request *r)
{
    return r->tenant.key.id;
}

bool api_job_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct job_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_job *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_job_list(tx, r->arena, tenant_of(r), &query->filter, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, api_job_json);
}

bool api_job_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_job job;
    return sg_api_job_find(tx, r->arena, tenant_of(r), api_param(r, "job_id"), &job, err) &&
           api_reply_ok(r, api_job_json(r->arena, &job));
}

bool api_job_retry(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_job job;
    if (!sg_api_job_retry(tx, r->arena, tenant_of(r), api_param(r, "job_id"), &job, err))
        return api_conflict(err, "", "another job does the same already");
    return api_reply_ok(r, api_job_json(r->arena, &job));
}

bool api_job_cancel(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_job job;
    return sg_api_job_cancel(tx, r->arena, tenant_of(r), api_param(r, "job_id"), &job, err) &&
           api_reply_ok(r, api_job_json(r->arena, &job));
}
