#include "schema/api_submitter.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_submitter *s = item;
    sg_row_key(row, &s->key);
    s->tenant_id = sg_row_text(row);
    s->kind = sg_row_text(row);
    s->network = sg_row_text(row);
    s->fingerprint = sg_row_text(row);
    s->description = sg_row_text(row);
}

bool sg_api_submitter_insert(struct sg_tx *tx, struct sg_arena *arena,
                             const struct sg_api_submitter *row, struct sg_api_submitter *row_r,
                             struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->tenant_id);
    sg_param_text(&p, row->kind);
    sg_param_text(&p, row->network);
    sg_param_text(&p, row->fingerprint);
    sg_param_text(&p, row->description);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_SUBMITTER_INSERT, &p, take, row_r, "no submitter made",
                      err);
}

bool sg_api_submitter_delete(struct sg_tx *tx, const char *tenant_id, const char *id,
                             struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_SUBMITTER_DELETE, &p, NULL, "no such submitter", err);
}

bool sg_api_submitter_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           const struct sg_api_page *page, struct sg_api_submitter **rows_r,
                           size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_SUBMITTER_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
