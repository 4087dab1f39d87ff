#include "schema/api_held.h"

#include "schema/api_internal.h"
#include "schema/retention.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_held *h = item;
    sg_row_key(row, &h->key);
    h->msg_id = sg_row_text(row);
    h->tenant_id = sg_row_text(row);
    h->domain_id = sg_row_text(row);
    h->direction = sg_row_text(row);
    h->state = sg_row_text(row);
    h->reason = sg_row_text(row);
    h->explanation = sg_row_text(row);
    h->sender = sg_row_text(row);
    h->recipients = sg_row_texts(row, &h->recipient_count);
    h->recipient_domain = sg_row_text(row);
    h->queue_id = sg_row_text(row);
    h->size_bytes = sg_row_int(row);
    h->received_at = sg_row_time(row);
    h->next_try_at = sg_row_time(row);
    h->expires_at = sg_row_time(row);
    h->attempts = sg_row_int(row);
    h->last_error = sg_row_text(row);
    h->finished_at = sg_row_time(row);
    h->quarantined = sg_row_bool(row);
    h->approved_at = sg_row_time(row);
}

/* tenant_id, id: the first two parameters of every query about one of them. */
static void of_tenant(struct sg_params *p, const char *tenant_id, const char *id)
{
    sg_param_text(p, tenant_id);
    sg_param_text(p, id);
}

/* A change that found nothing held: is there no such mail, or was it finished before? */
static bool explain(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id, const char *id,
                    struct sg_error *err)
{
    struct sg_api_held row;
    sg_error_reset(err);
    if (!sg_api_held_find(tx, arena, tenant_id, id, &row, err))
        return false;
    return sg_fail(err, SG_E_CONFLICT, "it is not held any more: %s", row.state);
}

bool sg_api_held_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                      const char *id, struct sg_api_held *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    of_tenant(&p, tenant_id, id);
    return sg_api_row(tx, arena, SG_Q_API_HELD_FIND, &p, take, row_r, "no such held mail", err);
}

bool sg_api_held_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                      const struct sg_api_held_filter *filter, const struct sg_api_page *page,
                      struct sg_api_held **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, filter->state);
    sg_param_text(&p, filter->domain_id);
    sg_param_text(&p, filter->recipient_domain);
    sg_param_text(&p, filter->sender);
    sg_param_text(&p, filter->reason);
    sg_param_text(&p, filter->waiting_for);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_HELD_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_held_release(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const char *id, struct sg_api_held *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    of_tenant(&p, tenant_id, id);
    sg_param_time(&p, sg_tx_now(tx));
    if (sg_api_row(tx, arena, SG_Q_API_HELD_RELEASE, &p, take, row_r, "not held", err))
        return true;
    return err->code == SG_E_NOT_FOUND && explain(tx, arena, tenant_id, id, err);
}

bool sg_api_held_delete(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *id, struct sg_error *err)
{
    struct sg_params p = {0}, chunks = {0};
    of_tenant(&p, tenant_id, id);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query_one(tx, SG_Q_API_HELD_DELETE, &p, NULL, "not held", err))
        return err->code == SG_E_NOT_FOUND && explain(tx, arena, tenant_id, id, err);
    of_tenant(&chunks, tenant_id, id);
    return sg_legal_hold_none(tx, tenant_id, err) &&
           sg_tx_query(tx, SG_Q_API_HELD_CHUNK_DELETE, &chunks, NULL, err);
}
