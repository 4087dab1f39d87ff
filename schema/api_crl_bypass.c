#include "schema/api_crl_bypass.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_crl_bypass *b = item;
    sg_row_key(row, &b->key);
    b->sha256 = sg_row_text(row);
    b->reason = sg_row_text(row);
    b->actor = sg_row_text(row);
    b->ends_at = sg_row_time(row);
}

bool sg_api_crl_bypass_insert(struct sg_tx *tx, struct sg_arena *arena,
                              const struct sg_api_crl_bypass *row, struct sg_api_crl_bypass *row_r,
                              struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->sha256);
    sg_param_text(&p, row->reason);
    sg_param_time(&p, row->ends_at);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_CRL_BYPASS_INSERT, &p, take, row_r, "no bypass made",
                      err);
}

bool sg_api_crl_bypass_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                            struct sg_api_crl_bypass *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_CRL_BYPASS_FIND, &p, take, row_r, "no such bypass", err);
}

bool sg_api_crl_bypass_list(struct sg_tx *tx, struct sg_arena *arena,
                            const struct sg_api_page *page, struct sg_api_crl_bypass **rows_r,
                            size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_CRL_BYPASS_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_crl_bypass_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_CRL_BYPASS_DELETE, &p, NULL, "no such bypass", err);
}
