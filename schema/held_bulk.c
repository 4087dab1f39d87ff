#include "schema/held_bulk.h"

#include "schema/db_internal.h"
#include "schema/retention.h"

static bool due(struct sg_tx *tx, struct sg_arena *arena, const struct sg_held_bulk *bulk,
                int limit, const char *after, const char ***ids_r, size_t *count_r,
                struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, bulk->tenant_id);
    sg_param_time(&p, bulk->until);
    sg_param_text(&p, after);
    sg_param_text(&p, bulk->domain_id);
    sg_param_text(&p, bulk->recipient_domain);
    sg_param_text(&p, bulk->sender);
    sg_param_text(&p, bulk->reason);
    sg_param_text(&p, bulk->waiting_for);
    sg_param_int(&p, limit);
    if (!sg_tx_query(tx, SG_Q_HELD_BULK_DUE, &p, &rows, err))
        return false;
    *count_r = (size_t)rows.count;
    *ids_r = SG_ARENA_ARRAY(arena, const char *, *count_r + 1);
    for (size_t i = 0; i < *count_r; i++) {
        struct sg_row row = sg_row_at(&rows, (int)i, arena);
        (*ids_r)[i] = sg_row_text(&row);
        if (!sg_row_end(&row, err))
            return false;
    }
    return true;
}

static bool retry(struct sg_tx *tx, struct sg_arena *arena, const struct sg_held_bulk *bulk,
                  const char **ids, size_t count, struct sg_rows *rows, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, bulk->tenant_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_bool(&p, strcmp(bulk->action, "retry") == 0);
    sg_param_texts(&p, arena, ids, count);
    return sg_tx_query(tx, SG_Q_HELD_BULK_RETRY, &p, rows, err);
}

static bool give_up(struct sg_tx *tx, struct sg_arena *arena, const struct sg_held_bulk *bulk,
                    const char **ids, size_t count, struct sg_rows *rows, struct sg_error *err)
{
    struct sg_params p = {0}, chunks = {0};
    sg_param_text(&p, bulk->tenant_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_texts(&p, arena, ids, count);
    sg_param_text(&chunks, bulk->tenant_id);
    sg_param_texts(&chunks, arena, ids, count);
    return sg_legal_hold_none(tx, bulk->tenant_id, err) &&
           sg_tx_query(tx, SG_Q_HELD_BULK_DELETE, &p, rows, err) &&
           sg_tx_query(tx, SG_Q_HELD_BULK_CHUNK_DELETE, &chunks, NULL, err);
}

bool sg_held_bulk_portion(struct sg_tx *tx, struct sg_arena *arena, const struct sg_held_bulk *bulk,
                          int limit, const char **after, size_t *found_r, size_t *changed_r,
                          struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    const char **ids;
    *changed_r = 0;
    if (!due(tx, arena, bulk, limit, *after, &ids, found_r, err))
        return false;
    if (*found_r == 0)
        return true;
    bool ok = strcmp(bulk->action, "delete") == 0
                  ? give_up(tx, arena, bulk, ids, *found_r, &rows, err)
                  : retry(tx, arena, bulk, ids, *found_r, &rows, err);
    if (!ok)
        return false;
    *after = ids[*found_r - 1];
    *changed_r = (size_t)rows.affected;
    return true;
}
