#include "schema/api_contact.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_contact *c = item;
    sg_row_key(row, &c->key);
    c->tenant_id = sg_row_text(row);
    c->role = sg_row_text(row);
    c->organisation = sg_row_text(row);
    c->mailbox = sg_row_text(row);
    c->role_mailbox = sg_row_bool(row);
    c->phone = sg_row_text(row);
    c->review_days = sg_row_int(row);
    c->reviewed_at = sg_row_time(row);
    c->updated_at = sg_row_time(row);
}

static bool write(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                  const struct sg_api_contact *row, struct sg_api_contact *row_r,
                  struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->tenant_id);
    sg_param_text(&p, row->role);
    sg_param_text(&p, row->organisation);
    sg_param_text(&p, row->mailbox);
    sg_param_bool(&p, row->role_mailbox);
    sg_param_text(&p, row->phone);
    sg_param_int(&p, row->review_days);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, query, &p, take, row_r, "no such contact", err);
}

bool sg_api_contact_insert(struct sg_tx *tx, struct sg_arena *arena,
                           const struct sg_api_contact *row, struct sg_api_contact *row_r,
                           struct sg_error *err)
{
    return write(tx, arena, SG_Q_API_CONTACT_INSERT, row, row_r, err);
}

bool sg_api_contact_set(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_contact *row,
                        struct sg_api_contact *row_r, struct sg_error *err)
{
    return write(tx, arena, SG_Q_API_CONTACT_SET, row, row_r, err);
}

bool sg_api_contact_review(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           const char *id, struct sg_api_contact *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_CONTACT_REVIEW, &p, take, row_r, "no such contact", err);
}

bool sg_api_contact_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const char *id, struct sg_api_contact *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    return sg_api_row(tx, arena, SG_Q_API_CONTACT_FIND, &p, take, row_r, "no such contact", err);
}

bool sg_api_contact_delete(struct sg_tx *tx, const char *tenant_id, const char *id,
                           struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    return sg_tx_query_one(tx, SG_Q_API_CONTACT_DELETE, &p, NULL, "no such contact", err);
}

bool sg_api_contact_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const char *role, bool stale, const struct sg_api_page *page,
                         struct sg_api_contact **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, role);
    sg_param_bool(&p, stale);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_CONTACT_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
