#include "schema/report.h"

#include "schema/db_internal.h"

bool sg_report_period_find(struct sg_tx *tx, struct sg_arena *arena, const char *month,
                           const char *zone, struct sg_report_period *period_r,
                           struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, month);
    sg_param_text(&p, zone);
    sg_param_time(&p, sg_tx_now(tx));
    if (strlen(month) != 7 || strspn(month, "0123456789-") != 7)
        return sg_fail(err, SG_E_INVALID, "no month: it is written as 2026-10");
    if (!sg_tx_query_one(tx, SG_Q_REPORT_PERIOD, &p, &rows, "no month", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *period_r = (struct sg_report_period){.month = sg_arena_strdup(arena, month),
                                          .zone = sg_arena_strdup(arena, zone)};
    period_r->begins_at = sg_row_time(&r);
    period_r->ends_at = sg_row_time(&r);
    period_r->name = sg_row_text(&r);
    period_r->begins_local = sg_row_text(&r);
    period_r->until_local = sg_row_text(&r);
    if (!sg_row_end(&r, err))
        return false;
    sg_time now = sg_tx_now(tx);
    period_r->complete = now >= period_r->ends_at;
    period_r->until = period_r->complete ? period_r->ends_at : now;
    return now > period_r->begins_at ||
           sg_fail(err, SG_E_INVALID, "%s has not begun", period_r->name);
}

bool sg_report_begin(struct sg_tx *tx, struct sg_error *err)
{
    return sg_tx_query(tx, SG_Q_PLAN_FOR_VALUES, NULL, NULL, err);
}

#define QUERY(name) [SG_REPORT_##name] = SG_Q_REPORT_##name,
static const enum sg_query queries[] = {SG_REPORT_TABLES(QUERY)};

bool sg_report_read(struct sg_tx *tx, struct sg_arena *arena, enum sg_report_table table,
                    const struct sg_report_scope *scope, const char **json_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, scope->tenant_id);
    sg_param_time(&p, scope->from);
    sg_param_time(&p, scope->until);
    sg_param_text(&p, scope->zone);
    if (!sg_tx_query_one(tx, queries[table], &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *json_r = sg_row_text(&r);
    return sg_row_end(&r, err);
}

bool sg_report_tenant_name(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           const char **name_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    if (!sg_tx_query_one(tx, SG_Q_REPORT_TENANT, &p, &rows, "no such tenant", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *name_r = sg_row_text(&r);
    return sg_row_end(&r, err);
}

bool sg_report_current(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const char *kind, const char *period, struct sg_report_row *row_r,
                       struct sg_error *err)
{
    SG_AUTO_ROWS locked = {0};
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    *row_r = (struct sg_report_row){0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, kind);
    sg_param_text(&p, period);
    if (!sg_tx_query(tx, SG_Q_REPORT_LOCK, &p, &locked, err) ||
        !sg_tx_query(tx, SG_Q_REPORT_CURRENT, &p, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    row_r->id = sg_row_text(&r);
    row_r->tenant_id = sg_row_text(&r);
    row_r->kind = sg_row_text(&r);
    row_r->period = sg_row_text(&r);
    row_r->revision = sg_row_int(&r);
    row_r->complete = sg_row_bool(&r);
    row_r->data = sg_row_text(&r);
    row_r->sha256 = sg_row_bytes(&r);
    row_r->watermark = sg_row_text(&r);
    row_r->differs = sg_row_text(&r);
    row_r->made_by = sg_row_text(&r);
    return sg_row_end(&r, err);
}

bool sg_report_insert(struct sg_tx *tx, const struct sg_report_row *row, int schema_version,
                      struct sg_error *err)
{
    struct sg_params key = {0}, p = {0};
    sg_param_text(&key, row->tenant_id);
    sg_param_text(&key, row->kind);
    sg_param_text(&key, row->period);
    sg_param_text(&p, row->id);
    sg_param_text(&p, row->tenant_id);
    sg_param_text(&p, row->kind);
    sg_param_text(&p, row->period);
    sg_param_int(&p, row->revision);
    sg_param_bool(&p, row->complete);
    sg_param_int(&p, schema_version);
    sg_param_text(&p, row->data);
    sg_param_bytes(&p, row->sha256);
    sg_param_text(&p, row->watermark);
    sg_param_text(&p, row->differs);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, row->made_by);
    return sg_tx_query(tx, SG_Q_REPORT_SUPERSEDE, &key, NULL, err) &&
           sg_tx_query_one(tx, SG_Q_REPORT_INSERT, &p, NULL, "not inserted", err);
}

bool sg_report_due_list(struct sg_tx *tx, struct sg_arena *arena, const char *zone, sg_time after,
                        sg_time before, struct sg_report_due **rows_r, size_t *count_r,
                        struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, zone);
    sg_param_time(&p, after);
    sg_param_time(&p, before);
    if (!sg_tx_query(tx, SG_Q_REPORT_DUE, &p, &rows, err))
        return false;
    *count_r = (size_t)rows.count;
    *rows_r = SG_ARENA_ARRAY(arena, struct sg_report_due, *count_r + 1);
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        struct sg_report_due *due = &(*rows_r)[i];
        due->tenant_id = sg_row_text(&r);
        due->kind = sg_row_text(&r);
        due->period = sg_row_text(&r);
        if (!sg_row_end(&r, err))
            return false;
    }
    return true;
}
