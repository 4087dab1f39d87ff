#include "schema/api_job.h"

#include "schema/api_internal.h"
#include "schema/job.h"

#include "common/id.h"

#define MAX_ATTEMPTS 10 /* of a job whose failures are temporary */

static void job_take(struct sg_row *row, void *item)
{
    struct sg_api_job *j = item;
    sg_row_key(row, &j->key);
    j->tenant_id = sg_row_text(row);
    j->kind = sg_row_text(row);
    j->state = sg_row_text(row);
    j->attempts = sg_row_int(row);
    j->max_attempts = sg_row_int(row);
    j->run_at = sg_row_time(row);
    j->last_error = sg_row_text(row);
    j->result = sg_row_text(row);
    j->finished_at = sg_row_time(row);
}

static void audit_take(struct sg_row *row, void *item)
{
    struct sg_api_audit *a = item;
    sg_row_key(row, &a->key);
    a->tenant_id = sg_row_text(row);
    a->actor = sg_row_text(row);
    a->address = sg_row_text(row);
    a->request_id = sg_row_text(row);
    a->action = sg_row_text(row);
    a->object = sg_row_text(row);
    a->object_id = sg_row_text(row);
    a->before = sg_row_text(row);
    a->after = sg_row_text(row);
}

bool sg_api_job_insert(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const char *kind, const char *payload, struct sg_api_job *row_r,
                       struct sg_error *err)
{
    struct sg_id id = sg_id_new("job");
    return sg_job_insert(tx, id.text, tenant_id, kind, payload, MAX_ATTEMPTS, err) &&
           sg_api_job_find(tx, arena, tenant_id, id.text, row_r, err);
}

bool sg_api_job_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                     const char *id, struct sg_api_job *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_JOB_FIND, &p, job_take, row_r, "no such job", err);
}

bool sg_api_job_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                     const struct sg_api_page *page, struct sg_api_job **rows_r, size_t *count_r,
                     struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_JOB_LIST, &p, job_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_audit_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const struct sg_api_page *page, struct sg_api_audit **rows_r,
                       size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_AUDIT_LIST, &p, audit_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
