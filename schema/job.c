#include "schema/job.h"

#include "schema/db_internal.h"

bool sg_job_insert(struct sg_tx *tx, const char *id, const char *tenant_id, const char *kind,
                   const char *payload_json, int max_attempts, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, kind);
    sg_param_text(&p, payload_json);
    sg_param_int(&p, max_attempts);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_JOB_INSERT, &p, NULL, "not inserted", err);
}

bool sg_job_open(struct sg_tx *tx, const char *kind, bool *open_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, kind);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query_one(tx, SG_Q_JOB_OPEN, &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, NULL);
    *open_r = sg_row_bool(&r);
    return sg_row_end(&r, err);
}

struct claim {
    struct sg_job_row *row;
    bool found;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct claim *c = arg;
    c->row->id = sg_row_text(r);
    c->row->tenant_id = sg_row_text(r);
    c->row->kind = sg_row_text(r);
    c->row->payload = sg_row_text(r);
    c->row->attempts = (int)sg_row_int(r);
    c->row->max_attempts = (int)sg_row_int(r);
    c->found = true;
    return true;
}

bool sg_job_claim(struct sg_db *db, struct sg_arena *arena, const char *worker, sg_time now,
                  int64_t lease_ms, struct sg_job_row *row_r, bool *found_r, struct sg_error *err)
{
    struct claim c = {row_r, false};
    struct sg_params p = {0};
    sg_param_time(&p, now);
    sg_param_int(&p, lease_ms);
    sg_param_text(&p, worker);
    bool ok = sg_db_read(db, arena, SG_Q_JOB_CLAIM, &p, take, &c, err);
    *found_r = ok && c.found;
    return ok;
}

static bool take_time(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(sg_time *)arg = sg_row_time(r);
    return true;
}

bool sg_job_next_due(struct sg_db *db, sg_time *at_r, struct sg_error *err)
{
    *at_r = 0;
    return sg_db_read(db, NULL, SG_Q_JOB_NEXT_DUE, NULL, take_time, at_r, err);
}

bool sg_job_hold(struct sg_tx *tx, const char *id, const char *worker, int attempt,
                 struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, worker);
    sg_param_int(&p, attempt);
    if (!sg_tx_query(tx, SG_Q_JOB_HOLD, &p, &rows, err))
        return false;
    return rows.count == 1 || sg_fail(err, SG_E_CONFLICT, "the job went to another worker");
}

bool sg_job_done(struct sg_tx *tx, const char *id, const char *result_json, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, result_json);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_JOB_DONE, &p, NULL, "the job is not running", err);
}

bool sg_job_failed(struct sg_tx *tx, const char *id, const char *last_error, sg_time retry_at,
                   struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, last_error);
    sg_param_time_or_null(&p, retry_at);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_JOB_FAILED, &p, NULL, "the job is not running", err);
}
