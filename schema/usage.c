#include "schema/usage.h"

#include "schema/api_internal.h"

const char *const sg_usage_names[SG_USAGE_NUMBERS] = {
    "messages_out", "recipients_out", "bytes_out",    "messages_in", "recipients_in",
    "bytes_in",     "sealed",         "opened",       "held",        "refused",
    "domains",      "domain_days",    "storage_bytes"};

bool sg_usage_close(struct sg_tx *tx, const char *time_zone, int64_t lag_ms, int64_t *closed_r,
                    struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params zone = {0}, close = {0};
    sg_param_text(&zone, time_zone);
    sg_param_time(&close, sg_tx_now(tx));
    sg_param_int(&close, lag_ms);
    sg_param_text(&close, time_zone);
    sg_param_int(&close, SG_USAGE_PORTION);
    bool ok = sg_tx_query(tx, SG_Q_USAGE_LOCK, NULL, NULL, err) &&
              sg_tx_query(tx, SG_Q_USAGE_ZONE_SET, &zone, NULL, err) &&
              sg_tx_query(tx, SG_Q_USAGE_CLOSE, &close, &rows, err);
    *closed_r = ok ? rows.affected : 0;
    return ok;
}

static void closed_take(struct sg_row *row, void *item)
{
    struct sg_usage_closed *c = item;
    c->month = sg_row_text(row);
    c->time_zone = sg_row_text(row);
}

bool sg_usage_closed_list(struct sg_tx *tx, struct sg_arena *arena, sg_time since,
                          struct sg_usage_closed **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, since);
    *rows_r = sg_api_rows(tx, arena, SG_Q_USAGE_CLOSED_LIST, &p, closed_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

bool sg_usage_adjust(struct sg_tx *tx, struct sg_arena *arena, const struct sg_usage_closed *closed,
                     const char **after, int64_t *adjusted_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, closed->month);
    sg_param_text(&p, closed->time_zone);
    sg_param_text(&p, *after);
    sg_param_int(&p, SG_USAGE_PORTION);
    if (!sg_tx_query(tx, SG_Q_USAGE_LOCK, NULL, NULL, err) ||
        !sg_tx_query_one(tx, SG_Q_USAGE_ADJUST, &p, &rows, "no count", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *adjusted_r = sg_row_int(&r);
    *after = sg_row_text(&r);
    return sg_row_end(&r, err);
}

static void take(struct sg_row *row, void *item)
{
    struct sg_api_usage *u = item;
    sg_row_key(row, &u->key);
    u->tenant_name = sg_row_text(row);
    u->month = sg_row_text(row);
    for (size_t i = 0; i < SG_USAGE_NUMBERS; i++)
        u->numbers[i] = sg_row_int(row);
    u->adjustments = sg_row_int(row);
    u->closed_at = sg_row_time(row);
    u->time_zone = sg_row_text(row);
}

static void revision_take(struct sg_row *row, void *item)
{
    struct sg_api_usage_revision *u = item;
    u->revision = sg_row_int(row);
    u->made_at = sg_row_time(row);
    u->watermark = sg_row_text(row);
    for (size_t i = 0; i < SG_USAGE_NUMBERS; i++)
        u->numbers[i] = sg_row_int(row);
}

static bool month_now(struct sg_tx *tx, struct sg_arena *arena, const char **month_r,
                      struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query_one(tx, SG_Q_USAGE_MONTH_NOW, &p, &rows, "no month", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *month_r = sg_row_text(&r);
    return sg_row_end(&r, err);
}

bool sg_api_usage_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const char *month, const struct sg_api_page *page,
                       struct sg_api_usage **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    if (!month && !month_now(tx, arena, &month, err))
        return false;
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, month);
    sg_param_page(&p, page);
    sg_param_time(&p, sg_tx_now(tx));
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_USAGE_MONTH, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_usage_revisions(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                            const char *month, struct sg_api_usage_revision **rows_r,
                            size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, month);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_USAGE_REVISIONS, &p, revision_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}
