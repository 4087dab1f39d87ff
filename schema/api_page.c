#include "schema/api_internal.h"

void sg_param_page(struct sg_params *p, const struct sg_api_page *page)
{
    if (page->after.id)
        sg_param_time(p, page->after.at);
    else
        sg_param_null(p);
    sg_param_text(p, page->after.id);
    sg_param_int(p, (int64_t)page->limit + 1);
}

void sg_param_domain(struct sg_params *p, const char *tenant_id, const char *domain_id)
{
    sg_param_text(p, tenant_id);
    sg_param_text(p, domain_id);
}

void sg_row_key(struct sg_row *row, struct sg_api_key *key)
{
    key->id = sg_row_text(row);
    key->at = sg_row_time(row);
}

void *sg_api_rows(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                  const struct sg_params *params, sg_fill_fn take, size_t size, size_t *count_r,
                  struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    if (!sg_tx_query(tx, query, params, &rows, err))
        return NULL;
    size_t count = (size_t)rows.count;
    char *items = sg_arena_alloc_array(arena, size, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct sg_row row = sg_row_at(&rows, (int)i, arena);
        take(&row, items + i * size);
        if (!sg_row_end(&row, err))
            return NULL;
    }
    *count_r = count;
    return items;
}

void *sg_api_domain_rows(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                         const char *tenant_id, const char *domain_id,
                         const struct sg_api_page *page, sg_fill_fn take, size_t size,
                         size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_domain(&p, tenant_id, domain_id);
    sg_param_page(&p, page);
    return sg_api_rows(tx, arena, query, &p, take, size, count_r, err);
}

bool sg_api_row(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                const struct sg_params *params, sg_fill_fn take, void *item, const char *what,
                struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    if (!sg_tx_query_one(tx, query, params, &rows, what, err))
        return false;
    struct sg_row row = sg_row_at(&rows, 0, arena);
    take(&row, item);
    return sg_row_end(&row, err);
}

bool sg_api_change(struct sg_tx *tx, enum sg_query query, const struct sg_params *params,
                   const char *what, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    return sg_tx_query(tx, query, params, &rows, err) &&
           (rows.affected == 1 || sg_fail(err, SG_E_CONFLICT, "%s", what));
}
