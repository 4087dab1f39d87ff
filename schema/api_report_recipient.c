#include "schema/api_internal.h"
#include "schema/api_report.h"

#include "common/id.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_report_recipient *r = item;
    sg_row_key(row, &r->key);
    r->tenant_id = sg_row_text(row);
    r->kind = sg_row_text(row);
    r->address = sg_row_text(row);
}

static bool count(struct sg_tx *tx, const char *tenant_id, int64_t *count_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    if (!sg_tx_query_one(tx, SG_Q_API_REPORT_RECIPIENT_COUNT, &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, NULL);
    *count_r = sg_row_int(&r);
    return sg_row_end(&r, err);
}

bool sg_api_report_recipient_insert(struct sg_tx *tx, struct sg_arena *arena,
                                    const struct sg_api_report_recipient *recipient,
                                    struct sg_api_report_recipient *row_r, struct sg_error *err)
{
    int64_t there;
    if (!count(tx, recipient->tenant_id, &there, err))
        return false;
    if (there >= SG_REPORT_RECIPIENTS_MAX)
        return sg_fail(err, SG_E_LIMIT, "at most %d recipients of reports",
                       SG_REPORT_RECIPIENTS_MAX);
    struct sg_id id = sg_id_new("rrc");
    struct sg_params p = {0};
    sg_param_text(&p, id.text);
    sg_param_text(&p, recipient->tenant_id);
    sg_param_text(&p, recipient->kind);
    sg_param_text(&p, recipient->address);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_REPORT_RECIPIENT_INSERT, &p, take, row_r, "not inserted",
                      err);
}

bool sg_api_report_recipient_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                  const struct sg_api_page *page,
                                  struct sg_api_report_recipient **rows_r, size_t *count_r,
                                  struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_REPORT_RECIPIENT_LIST, &p, take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

bool sg_api_report_recipient_delete(struct sg_tx *tx, const char *tenant_id, const char *id,
                                    struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_REPORT_RECIPIENT_DELETE, &p, NULL, "no such recipient",
                           err);
}
