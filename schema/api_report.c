#include "schema/api_report.h"

#include "schema/api_internal.h"

#include "common/id.h"

static void report_take(struct sg_row *row, void *item)
{
    struct sg_api_report *r = item;
    sg_row_key(row, &r->key);
    r->tenant_id = sg_row_text(row);
    r->kind = sg_row_text(row);
    r->period = sg_row_text(row);
    r->revision = sg_row_int(row);
    r->state = sg_row_text(row);
    r->complete = sg_row_bool(row);
    r->sha256 = sg_row_bytes(row);
    r->made_by = sg_row_text(row);
    r->signature_count = sg_row_int(row);
}

static void report_take_whole(struct sg_row *row, void *item)
{
    struct sg_api_report *r = item;
    report_take(row, item);
    r->data = sg_row_text(row);
    r->watermark = sg_row_text(row);
    r->differs = sg_row_text(row);
    r->signatures = sg_row_text(row);
    r->deliveries = sg_row_text(row);
}

static void attestation_take(struct sg_row *row, void *item)
{
    struct sg_api_attestation *a = item;
    sg_row_key(row, &a->key);
    a->requirement = sg_row_int(row);
    a->words = sg_row_text(row);
    a->name = sg_row_text(row);
    a->title = sg_row_text(row);
    a->valid_until = sg_row_time(row);
    a->created_by = sg_row_text(row);
    a->revoked_at = sg_row_time(row);
}

bool sg_api_report_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const struct sg_api_report_filter *filter, const struct sg_api_page *page,
                        struct sg_api_report **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    sg_param_text(&p, filter->kind);
    sg_param_text(&p, filter->period);
    sg_param_text(&p, filter->state);
    sg_param_text(&p, filter->subject);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_REPORT_LIST, &p, report_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

bool sg_api_report_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *id, struct sg_api_report *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    *row_r = (struct sg_api_report){0};
    return sg_api_row(tx, arena, SG_Q_API_REPORT_FIND, &p, report_take_whole, row_r,
                      "no such report", err);
}

bool sg_api_report_sign(struct sg_tx *tx, const struct sg_api_signature *s, struct sg_error *err)
{
    struct sg_id id = sg_id_new("sgn");
    struct sg_params p = {0};
    sg_param_text(&p, id.text);
    sg_param_text(&p, s->tenant_id);
    sg_param_text(&p, s->report_id);
    sg_param_bytes(&p, s->sha256);
    sg_param_text(&p, s->name);
    sg_param_text(&p, s->title);
    sg_param_text(&p, s->words);
    sg_param_text(&p, s->actor);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_change(tx, SG_Q_API_REPORT_SIGN, &p,
                         "the report is not the current one, or its data has another hash", err);
}

bool sg_api_report_requeue(struct sg_tx *tx, const char *tenant_id, const char *report_id,
                           struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, report_id);
    return sg_tx_query(tx, SG_Q_API_REPORT_REQUEUE, &p, NULL, err);
}

bool sg_api_attestation_insert(struct sg_tx *tx, struct sg_arena *arena,
                               const struct sg_api_attestation *a, struct sg_api_attestation *row_r,
                               struct sg_error *err)
{
    struct sg_params p = {0};
    struct sg_id id = sg_id_new("att");
    sg_param_text(&p, id.text);
    sg_param_int(&p, a->requirement);
    sg_param_text(&p, a->words);
    sg_param_text(&p, a->name);
    sg_param_text(&p, a->title);
    sg_param_time(&p, a->valid_until);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, a->created_by);
    return sg_api_row(tx, arena, SG_Q_API_ATTESTATION_INSERT, &p, attestation_take, row_r,
                      "not inserted", err);
}

bool sg_api_attestation_list(struct sg_tx *tx, struct sg_arena *arena, int64_t requirement,
                             const struct sg_api_page *page, struct sg_api_attestation **rows_r,
                             size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    sg_param_int(&p, requirement);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_ATTESTATION_LIST, &p, attestation_take,
                          sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_attestation_revoke(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_ATTESTATION_REVOKE, &p, NULL, "no such attestation", err);
}
