#include "schema/usage.h"

#include "schema/api_internal.h"

const char *const sg_usage_names[SG_USAGE_NUMBERS] = {
    "messages_out", "recipients_out", "bytes_out",    "messages_in", "recipients_in",
    "bytes_in",     "sealed",         "opened",       "held",        "refused",
    "domains",      "domain_days",    "storage_bytes"};

static void part_take(struct sg_row *row, void *item)
{
    struct sg_usage_part *p = item;
    p->month = sg_row_text(row);
    p->time_zone = sg_row_text(row);
    p->tenant_id = sg_row_text(row);
}

bool sg_usage_due(struct sg_tx *tx, struct sg_arena *arena, const char *time_zone, int64_t lag_ms,
                  const char *after, struct sg_usage_part **parts_r, size_t *count_r,
                  struct sg_error *err)
{
    struct sg_params zone = {0}, p = {0};
    sg_param_text(&zone, time_zone);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_int(&p, lag_ms);
    sg_param_text(&p, time_zone);
    sg_param_text(&p, after);
    if (!sg_tx_query(tx, SG_Q_USAGE_ZONE_SET, &zone, NULL, err))
        return false;
    *parts_r =
        sg_api_rows(tx, arena, SG_Q_USAGE_DUE, &p, part_take, sizeof **parts_r, count_r, err);
    return *parts_r != NULL;
}

/* One at a time counts. */
static bool count(struct sg_tx *tx, enum sg_query query, const struct sg_usage_part *part,
                  bool *made_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, part->month);
    sg_param_text(&p, part->time_zone);
    sg_param_text(&p, part->tenant_id);
    bool ok =
        sg_tx_query(tx, SG_Q_USAGE_LOCK, NULL, NULL, err) && sg_tx_query(tx, query, &p, &rows, err);
    *made_r = ok && rows.affected > 0;
    return ok;
}

bool sg_usage_close(struct sg_tx *tx, const struct sg_usage_part *part, bool *closed_r,
                    struct sg_error *err)
{
    return count(tx, SG_Q_USAGE_CLOSE, part, closed_r, err);
}

bool sg_usage_closed_list(struct sg_tx *tx, struct sg_arena *arena, sg_time since,
                          struct sg_usage_part **parts_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, since);
    *parts_r = sg_api_rows(tx, arena, SG_Q_USAGE_CLOSED_LIST, &p, part_take, sizeof **parts_r,
                           count_r, err);
    return *parts_r != NULL;
}

bool sg_usage_adjust(struct sg_tx *tx, const struct sg_usage_part *part, bool *adjusted_r,
                     struct sg_error *err)
{
    return count(tx, SG_Q_USAGE_ADJUST, part, adjusted_r, err);
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
