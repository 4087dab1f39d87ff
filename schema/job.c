#include "schema/job.h"

#include "schema/db_internal.h"

#include "common/id.h"

#define MAX_ATTEMPTS 10

bool sg_job_insert(struct sg_tx *tx, const struct sg_job_new *job, bool *made_r,
                   struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    struct sg_id id = sg_id_new("job");
    sg_param_text(&p, job->id ? job->id : id.text);
    sg_param_text(&p, job->tenant_id);
    sg_param_text(&p, job->kind);
    sg_param_text(&p, job->payload_json ? job->payload_json : "{}");
    sg_param_int(&p, job->priority);
    sg_param_int(&p, job->max_attempts ? job->max_attempts : MAX_ATTEMPTS);
    sg_param_time(&p, job->run_at ? job->run_at : sg_tx_now(tx));
    sg_param_text(&p, job->unique_key);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_bool(&p, job->once);
    if (!sg_tx_query(tx, SG_Q_JOB_INSERT, &p, &rows, err))
        return false;
    if (made_r)
        *made_r = rows.affected == 1;
    return true;
}

bool sg_job_schedule_take(struct sg_tx *tx, const char *kind, sg_time period, int64_t every_ms,
                          const char *job_id, bool *taken_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, kind);
    sg_param_time(&p, period);
    sg_param_int(&p, every_ms);
    sg_param_text(&p, job_id);
    if (!sg_tx_query(tx, SG_Q_JOB_SCHEDULE_TAKE, &p, &rows, err))
        return false;
    *taken_r = rows.count == 1;
    return true;
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
    c->row->cancel = sg_row_bool(r);
    c->found = true;
    return true;
}

bool sg_job_claim(struct sg_db *db, struct sg_arena *arena, const char *worker,
                  const char *last_tenant, sg_time now, int64_t lease_ms, struct sg_job_row *row_r,
                  bool *found_r, struct sg_error *err)
{
    struct claim c = {row_r, false};
    struct sg_params p = {0};
    sg_time real = sg_clock_real();
    sg_param_time(&p, now);
    sg_param_time(&p, real);
    sg_param_text(&p, worker);
    sg_param_text(&p, last_tenant);
    sg_param_time(&p, real + lease_ms * 1000);
    bool ok = sg_db_read(db, arena, SG_Q_JOB_CLAIM, &p, take, &c, err);
    *found_r = ok && c.found;
    return ok;
}

bool sg_job_renew(struct sg_db *db, const char *id, const char *worker, int attempt,
                  int64_t lease_ms, bool *kept_r, struct sg_error *err)
{
    int affected = 0;
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, worker);
    sg_param_int(&p, attempt);
    sg_param_time(&p, sg_clock_real() + lease_ms * 1000);
    bool ok = sg_db_change(db, SG_Q_JOB_RENEW, &p, &affected, err);
    *kept_r = ok && affected == 1;
    return ok;
}

static bool take_time(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(sg_time *)arg = sg_row_time(r);
    return true;
}

bool sg_job_next_due(struct sg_db *db, sg_time now, int64_t *wait_ms_r, struct sg_error *err)
{
    sg_time due = 0, lease = 0;
    if (!sg_db_read(db, NULL, SG_Q_JOB_NEXT_DUE, NULL, take_time, &due, err) ||
        !sg_db_read(db, NULL, SG_Q_JOB_NEXT_LEASE, NULL, take_time, &lease, err))
        return false;
    sg_time until_due = due - now, until_lease = lease - sg_clock_real();
    sg_time wait = due && (!lease || until_due < until_lease) ? until_due : until_lease;
    *wait_ms_r = !due && !lease ? -1 : wait < 0 ? 0 : wait / 1000;
    return true;
}

bool sg_job_hold(struct sg_tx *tx, const char *id, const char *worker, int attempt, bool *cancel_r,
                 struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, worker);
    sg_param_int(&p, attempt);
    if (!sg_tx_query(tx, SG_Q_JOB_HOLD, &p, &rows, err))
        return false;
    if (rows.count != 1)
        return sg_fail(err, SG_E_CONFLICT, "the job went to another worker");
    struct sg_row r = sg_row_at(&rows, 0, NULL);
    *cancel_r = sg_row_bool(&r);
    return sg_row_end(&r, err);
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

bool sg_job_postpone(struct sg_tx *tx, const char *id, sg_time run_at, const char *words,
                     struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, run_at);
    sg_param_text(&p, words);
    return sg_tx_query_one(tx, SG_Q_JOB_POSTPONE, &p, NULL, "the job is not running", err);
}

bool sg_job_clean(struct sg_db *db, sg_time before, sg_time dead_before, int limit, int *deleted_r,
                  struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, before);
    sg_param_time(&p, dead_before);
    sg_param_int(&p, limit);
    return sg_db_change(db, SG_Q_JOB_CLEAN, &p, deleted_r, err);
}
