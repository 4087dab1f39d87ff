#include "schema/api_maintenance.h"

#include "schema/api_internal.h"

#include "common/id.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_maintenance *m = item;
    sg_row_key(row, &m->key);
    m->begins_at = sg_row_time(row);
    m->ends_at = sg_row_time(row);
    m->words = sg_row_text(row);
    m->created_by = sg_row_text(row);
}

bool sg_api_maintenance_insert(struct sg_tx *tx, struct sg_arena *arena,
                               const struct sg_api_maintenance *window,
                               struct sg_api_maintenance *row_r, struct sg_error *err)
{
    struct sg_id id = sg_id_new("mnt");
    struct sg_params p = {0};
    sg_param_text(&p, id.text);
    sg_param_time(&p, window->begins_at);
    sg_param_time(&p, window->ends_at);
    sg_param_text(&p, window->words);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, window->created_by);
    return sg_api_row(tx, arena, SG_Q_API_MAINTENANCE_INSERT, &p, take, row_r, "not inserted", err);
}

bool sg_api_maintenance_list(struct sg_tx *tx, struct sg_arena *arena,
                             const struct sg_api_page *page, struct sg_api_maintenance **rows_r,
                             size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_MAINTENANCE_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_maintenance_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_MAINTENANCE_DELETE, &p, NULL,
                           "no such window that has not begun", err);
}
