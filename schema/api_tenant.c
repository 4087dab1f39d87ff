#include "schema/api_tenant.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_tenant *t = item;
    sg_row_key(row, &t->key);
    t->name = sg_row_text(row);
    t->state = sg_row_text(row);
    t->external_ref = sg_row_text(row);
    t->state_reason = sg_row_text(row);
    t->cancelled_at = sg_row_time(row);
    t->ends_at = sg_row_time(row);
    t->closed_at = sg_row_time(row);
    t->updated_at = sg_row_time(row);
}

bool sg_api_tenant_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          const char *name, const char *external_ref, struct sg_api_tenant *row_r,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, name);
    sg_param_text(&p, external_ref);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_TENANT_INSERT, &p, take, row_r, "no tenant made", err);
}

bool sg_api_tenant_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                        struct sg_api_tenant *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_TENANT_FIND, &p, take, row_r, "no such tenant", err);
}

bool sg_api_tenant_list(struct sg_tx *tx, struct sg_arena *arena,
                        const struct sg_api_tenant_filter *filter, const struct sg_api_page *page,
                        struct sg_api_tenant **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, filter->name);
    sg_param_text(&p, filter->state);
    sg_param_text(&p, filter->external_ref);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_TENANT_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

static void user_take(struct sg_row *row, void *item)
{
    *(const char **)item = sg_row_text(row);
}

bool sg_api_current_user(struct sg_tx *tx, struct sg_arena *arena, const char **user_r,
                         struct sg_error *err)
{
    return sg_api_row(tx, arena, SG_Q_API_CURRENT_USER, NULL, user_take, user_r, "nobody", err);
}

bool sg_api_tenant_update(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          const char *name, bool ref_set, const char *external_ref,
                          struct sg_api_tenant *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, name);
    sg_param_bool(&p, ref_set);
    sg_param_text(&p, external_ref);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_TENANT_UPDATE, &p, take, row_r, "no such tenant", err);
}

/* A change that found no row in the state it needs: the tenant is there, the state is another. */
static bool conflict(struct sg_error *err, const char *text)
{
    if (err->code != SG_E_NOT_FOUND)
        return false;
    sg_error_reset(err);
    return sg_fail(err, SG_E_CONFLICT, "%s", text);
}

bool sg_api_tenant_state_set(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                             const char *from, const char *to, const char *reason,
                             struct sg_api_tenant *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, from);
    sg_param_text(&p, to);
    sg_param_text(&p, reason);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_TENANT_STATE, &p, take, row_r, "not in that state",
                      err) ||
           conflict(err, "the tenant's state does not allow that");
}

bool sg_api_tenant_cancel(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          const char *reason, sg_time ends_at, struct sg_api_tenant *row_r,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, reason);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_time(&p, ends_at);
    return sg_api_row(tx, arena, SG_Q_API_TENANT_CANCEL, &p, take, row_r, "cancelled", err) ||
           conflict(err, "the tenant is cancelled or closed already");
}

bool sg_api_tenant_cancel_withdraw(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                   struct sg_api_tenant *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_TENANT_CANCEL_WITHDRAW, &p, take, row_r, "not cancelled",
                      err) ||
           conflict(err, "the tenant is not cancelled, or closed already");
}

/* Exports ---------------------------------------------------------------------------------------
 */

static void export_take(struct sg_row *row, void *item)
{
    struct sg_api_export *e = item;
    sg_row_key(row, &e->key);
    e->tenant_id = sg_row_text(row);
    e->state = sg_row_text(row);
    e->job_id = sg_row_text(row);
    e->file = sg_row_text(row);
    e->size_bytes = sg_row_int(row);
    e->sha256 = sg_row_text(row);
    e->error = sg_row_text(row);
    e->finished_at = sg_row_time(row);
    e->expires_at = sg_row_time(row);
}

bool sg_api_export_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          const char *tenant_id, const char *job_id, sg_time expires_at,
                          struct sg_api_export *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, job_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_time(&p, expires_at);
    return sg_api_row(tx, arena, SG_Q_API_EXPORT_INSERT, &p, export_take, row_r, "no export made",
                      err);
}

bool sg_api_export_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *id, struct sg_api_export *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_EXPORT_FIND, &p, export_take, row_r, "no such export",
                      err);
}

bool sg_api_export_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const struct sg_api_page *page, struct sg_api_export **rows_r,
                        size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_EXPORT_LIST, &p, export_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}
