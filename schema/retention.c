#include "schema/retention.h"

#include "schema/api_internal.h"

/* Whoever deletes calls this first: a hold that is made meanwhile waits for him. */
static bool heed_holds(struct sg_tx *tx, struct sg_error *err)
{
    return sg_tx_query(tx, SG_Q_LEGAL_HOLD_HEED, NULL, NULL, err);
}

bool sg_disposal_partition(struct sg_tx *tx, struct sg_arena *arena, const char **name_r,
                           struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    if (!heed_holds(tx, err) ||
        !sg_tx_query_one(tx, SG_Q_DISPOSAL_PARTITION, &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *name_r = sg_row_text(&r);
    return sg_row_end(&r, err);
}

bool sg_disposal_rows(struct sg_tx *tx, const char *relation, const char *tenant_id, int most,
                      int64_t *deleted_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, relation);
    sg_param_text(&p, tenant_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_int(&p, most);
    if (!heed_holds(tx, err) ||
        !sg_tx_query_one(tx, SG_Q_DISPOSAL_ROWS, &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, NULL);
    *deleted_r = sg_row_int(&r);
    return sg_row_end(&r, err);
}

static void due_take(struct sg_row *row, void *item)
{
    struct sg_disposal_due *d = item;
    d->class = sg_row_text(row);
    d->relation = sg_row_text(row);
    d->tenant_id = sg_row_text(row);
    d->cutoff = sg_row_time(row);
    d->rows = sg_row_int(row);
    d->oldest = sg_row_time(row);
}

bool sg_disposal_preview(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         int64_t most, struct sg_disposal_due **rows_r, size_t *count_r,
                         struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_time(&p, sg_tx_now(tx));
    if (most == 0)
        sg_param_null(&p);
    else
        sg_param_int(&p, most);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_DISPOSAL_PREVIEW, &p, due_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

static void disposal_take(struct sg_row *row, void *item)
{
    struct sg_api_disposal *d = item;
    sg_row_key(row, &d->key);
    d->class = sg_row_text(row);
    d->tenant_id = sg_row_text(row);
    d->method = sg_row_text(row);
    d->relation = sg_row_text(row);
    d->rows = sg_row_int(row);
    d->oldest = sg_row_time(row);
    d->newest = sg_row_time(row);
    d->cutoff = sg_row_time(row);
    d->policy = sg_row_text(row);
    d->actor = sg_row_text(row);
}

bool sg_api_disposal_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                          const char *class, const struct sg_api_page *page,
                          struct sg_api_disposal **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, class);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_DISPOSAL_LIST, &p, disposal_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

static void retention_take(struct sg_row *row, void *item)
{
    struct sg_api_retention *r = item;
    r->class = sg_row_text(row);
    r->months = sg_row_int(row);
    r->floor_months = sg_row_int(row);
    r->ceiling_months = sg_row_int(row);
    r->about = sg_row_text(row);
    r->effective_months = sg_row_int(row);
    r->own = sg_row_bool(row);
}

bool sg_api_retention_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           struct sg_api_retention **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_RETENTION_LIST, &p, retention_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

bool sg_api_retention_set(struct sg_tx *tx, const struct sg_api_retention *row,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->class);
    sg_param_int(&p, row->months);
    sg_param_int(&p, row->floor_months);
    sg_param_int(&p, row->ceiling_months);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_RETENTION_SET, &p, NULL, "no such class", err);
}

bool sg_api_retention_policy_set(struct sg_tx *tx, const char *tenant_id, const char *class,
                                 int64_t months, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, class);
    if (months == 0)
        return sg_tx_query(tx, SG_Q_API_RETENTION_POLICY_DELETE, &p, NULL, err);
    sg_param_int(&p, months);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_API_RETENTION_POLICY_SET, &p, &rows, err))
        return false;
    return rows.affected == 1 || sg_fail(err, SG_E_INVALID, "is beyond the limits of its class");
}

static void hold_take(struct sg_row *row, void *item)
{
    struct sg_api_legal_hold *h = item;
    sg_row_key(row, &h->key);
    h->tenant_id = sg_row_text(row);
    h->words = sg_row_text(row);
    h->created_by = sg_row_text(row);
    h->lifted_at = sg_row_time(row);
    h->lifted_by = sg_row_text(row);
}

bool sg_api_legal_hold_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                            const struct sg_api_page *page, struct sg_api_legal_hold **rows_r,
                            size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_LEGAL_HOLD_LIST, &p, hold_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

bool sg_api_legal_hold_insert(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                              const char *words, struct sg_api_legal_hold *row_r,
                              struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, words);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_LEGAL_HOLD_WAIT, NULL, NULL, err) &&
           sg_api_row(tx, arena, SG_Q_API_LEGAL_HOLD_INSERT, &p, hold_take, row_r, "no hold made",
                      err);
}

bool sg_legal_hold_none(struct sg_tx *tx, const char *tenant_id, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    if (!heed_holds(tx, err) ||
        !sg_tx_query_one(tx, SG_Q_LEGAL_HOLD_STANDS, &p, &rows, "no answer", err))
        return false;
    struct sg_row row = sg_row_at(&rows, 0, NULL);
    bool stands = sg_row_bool(&row);
    return sg_row_end(&row, err) &&
           (!stands || sg_fail(err, SG_E_CONFLICT,
                               "a legal hold stands: nothing of the tenant is deleted until it is "
                               "lifted"));
}

bool sg_api_legal_hold_lift(struct sg_tx *tx, const char *tenant_id, const char *id,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_LEGAL_HOLD_LIFT, &p, NULL, "no such hold", err);
}
