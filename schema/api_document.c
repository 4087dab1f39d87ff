#include "schema/api_document.h"

#include "schema/api_internal.h"

#include "common/id.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_document *d = item;
    sg_row_key(row, &d->key);
    d->kind = sg_row_text(row);
    d->title = sg_row_text(row);
    d->version = sg_row_text(row);
    d->url = sg_row_text(row);
    d->sha256 = sg_row_text(row);
    d->required = sg_row_bool(row);
    d->valid_from = sg_row_time(row);
    d->withdrawn_at = sg_row_time(row);
    d->acknowledgement_id = sg_row_text(row);
    d->text = sg_row_text(row);
    d->acknowledged_at = sg_row_time(row);
    d->acknowledged_role = sg_row_text(row);
}

bool sg_api_document_insert(struct sg_tx *tx, struct sg_arena *arena,
                            const struct sg_api_document *row, struct sg_api_document *row_r,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->kind);
    sg_param_text(&p, row->title);
    sg_param_text(&p, row->version);
    sg_param_text(&p, row->text);
    sg_param_text(&p, row->url);
    sg_param_text(&p, row->sha256);
    sg_param_bool(&p, row->required);
    sg_param_time(&p, row->valid_from ? row->valid_from : sg_tx_now(tx));
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_DOCUMENT_INSERT, &p, take, row_r, "no document made",
                      err);
}

bool sg_api_document_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          struct sg_api_document *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_DOCUMENT_FIND, &p, take, row_r, "no such document", err);
}

bool sg_api_document_withdraw(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                              struct sg_api_document *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    if (sg_api_row(tx, arena, SG_Q_API_DOCUMENT_WITHDRAW, &p, take, row_r, "withdrawn", err))
        return true;
    if (err->code != SG_E_NOT_FOUND)
        return false;
    sg_error_reset(err);
    return sg_api_document_find(tx, arena, id, row_r, err) &&
           sg_fail(err, SG_E_CONFLICT, "the document was withdrawn before");
}

bool sg_api_document_list(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_page *page,
                          struct sg_api_document **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_DOCUMENT_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_document_list_tenant(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 bool outstanding, const struct sg_api_page *page,
                                 struct sg_api_document **rows_r, size_t *count_r,
                                 struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_bool(&p, outstanding);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_DOCUMENT_LIST_TENANT, &p, take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

static void acknowledgement_take(struct sg_row *row, void *item)
{
    struct sg_api_acknowledgement *a = item;
    sg_row_key(row, &a->key);
    a->tenant_id = sg_row_text(row);
    a->document_id = sg_row_text(row);
    a->kind = sg_row_text(row);
    a->title = sg_row_text(row);
    a->version = sg_row_text(row);
    a->sha256 = sg_row_text(row);
    a->role = sg_row_text(row);
}

bool sg_api_acknowledge(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *document_id, const char *sha256, const char *role,
                        struct sg_api_acknowledgement *row_r, struct sg_error *err)
{
    struct sg_id id = sg_id_new("ack");
    struct sg_params p = {0}, of = {0}, done = {0};
    sg_param_text(&p, id.text);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, document_id);
    sg_param_text(&p, sha256);
    sg_param_text(&p, role);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query_one(tx, SG_Q_API_ACKNOWLEDGEMENT_INSERT, &p, NULL, "no such document in force",
                         err))
        return false;
    sg_param_text(&done, tenant_id);
    sg_param_time(&done, sg_tx_now(tx));
    sg_param_text(&of, tenant_id);
    sg_param_text(&of, id.text);
    return sg_tx_query(tx, SG_Q_API_TENANT_ACKNOWLEDGED, &done, NULL, err) &&
           sg_api_row(tx, arena, SG_Q_API_ACKNOWLEDGEMENT_FIND, &of, acknowledgement_take, row_r,
                      "no such acknowledgement", err);
}

bool sg_api_acknowledgement_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const struct sg_api_page *page,
                                 struct sg_api_acknowledgement **rows_r, size_t *count_r,
                                 struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_ACKNOWLEDGEMENT_LIST, &p, acknowledgement_take,
                          sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
