#include "schema/api_job.h"

#include "common/id.h"
#include "schema/api_internal.h"

static void job_take(struct sg_row *row, void *item)
{
    struct sg_api_job *j = item;
    sg_row_key(row, &j->key);
    j->tenant_id = sg_row_text(row);
    j->kind = sg_row_text(row);
    j->state = sg_row_text(row);
    j->priority = sg_row_int(row);
    j->attempts = sg_row_int(row);
    j->max_attempts = sg_row_int(row);
    j->run_at = sg_row_time(row);
    j->cancel = sg_row_bool(row);
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

#define TRIES 10

static bool find_unique(struct sg_tx *tx, struct sg_arena *arena, const char *key,
                        struct sg_api_job *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, key);
    return sg_api_row(tx, arena, SG_Q_API_JOB_FIND_UNIQUE, &p, job_take, row_r, "no such job", err);
}

bool sg_api_job_insert(struct sg_tx *tx, struct sg_arena *arena, const struct sg_job_new *job,
                       struct sg_api_job *row_r, struct sg_error *err)
{
    struct sg_id id = sg_id_new("job");
    struct sg_job_new named = *job;
    bool made;
    if (!named.id)
        named.id = id.text;
    for (int i = 0; i < TRIES; i++) {
        if (!sg_job_insert(tx, &named, &made, err))
            return false;
        if (made)
            return sg_api_job_find(tx, arena, job->tenant_id, named.id, row_r, err);
        if (find_unique(tx, arena, job->unique_key, row_r, err))
            return true;
        if (err->code != SG_E_NOT_FOUND)
            return false;
        /* It ended between the two queries, so there is room for a new one. */
    }
    return sg_fail(err, SG_E_BUSY, "this is just being done");
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
                     const struct sg_api_job_filter *filter, const struct sg_api_page *page,
                     struct sg_api_job **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    if (tenant_id)
        sg_param_text(&p, tenant_id);
    sg_param_text(&p, filter->state);
    sg_param_text(&p, filter->kind);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, tenant_id ? SG_Q_API_JOB_LIST : SG_Q_API_JOB_LIST_ALL, &p,
                          job_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

/* Changes the job of that id, which must be in a state that query takes. */
static bool change(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                   const char *tenant_id, const char *id, struct sg_api_job *row_r,
                   struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, query, &p, &rows, err) ||
        !sg_api_job_find(tx, arena, tenant_id, id, row_r, err))
        return false;
    return rows.affected == 1 || sg_fail(err, SG_E_CONFLICT, "the job is %s%s", row_r->state,
                                         row_r->cancel ? ", and is to be cancelled" : "");
}

bool sg_api_job_retry(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                      const char *id, struct sg_api_job *row_r, struct sg_error *err)
{
    return change(tx, arena, SG_Q_API_JOB_RETRY, tenant_id, id, row_r, err);
}

bool sg_api_job_cancel(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const char *id, struct sg_api_job *row_r, struct sg_error *err)
{
    return change(tx, arena, SG_Q_API_JOB_CANCEL, tenant_id, id, row_r, err);
}

bool sg_api_audit_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const struct sg_api_audit_filter *filter, const struct sg_api_page *page,
                       struct sg_api_audit **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    sg_param_text(&p, filter->actor);
    sg_param_text(&p, filter->object);
    sg_param_text(&p, filter->object_id);
    sg_param_time_or_null(&p, filter->since);
    sg_param_time_or_null(&p, filter->until);
    *rows_r = sg_api_rows(tx, arena, tenant_id ? SG_Q_API_AUDIT_LIST : SG_Q_API_AUDIT_LIST_ALL, &p,
                          audit_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
