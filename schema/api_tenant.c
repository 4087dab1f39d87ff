#include "schema/api_tenant.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_tenant *t = item;
    sg_row_key(row, &t->key);
    t->name = sg_row_text(row);
    t->state = sg_row_text(row);
    t->updated_at = sg_row_time(row);
}

bool sg_api_tenant_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          const char *name, struct sg_api_tenant *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, name);
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

bool sg_api_tenant_list(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_page *page,
                        struct sg_api_tenant **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
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
