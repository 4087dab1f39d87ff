#include "schema/breach.h"

#include "schema/db_internal.h"

/* How many partners a month's cause names, per domain: whoever sends mail chooses its From. */
#define PARTNERS_MAX 200

struct fold {
    int batch;
    int64_t taken;
};

static bool fold(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct fold *f = arg;
    SG_AUTO_ROWS lock = {0}, rows = {0};
    f->taken = 0;
    if (!sg_tx_query_one(tx, SG_Q_BREACH_FOLD_LOCK, NULL, &lock, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&lock, 0, NULL);
    bool ours = sg_row_bool(&r);
    if (!sg_row_end(&r, err))
        return false;
    if (!ours)
        return true;
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_int(&p, f->batch);
    sg_param_int(&p, PARTNERS_MAX);
    if (!sg_tx_query_one(tx, SG_Q_BREACH_FOLD, &p, &rows, "no answer", err))
        return false;
    r = sg_row_at(&rows, 0, NULL);
    f->taken = sg_row_int(&r);
    return sg_row_end(&r, err);
}

bool sg_breach_fold(struct sg_db *db, int batch, int64_t *taken_r, struct sg_error *err)
{
    struct fold f = {.batch = batch};
    bool ok = sg_db_transact(db, NULL, fold, &f, err);
    *taken_r = f.taken;
    return ok;
}
