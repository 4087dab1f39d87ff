#include "schema/api_trust.h"

#include "schema/api_internal.h"

/* Exceptions ------------------------------------------------------------------------------------
 */

static void exception_take(struct sg_row *row, void *item)
{
    struct sg_api_exception *e = item;
    sg_row_key(row, &e->key);
    e->tenant_id = sg_row_text(row);
    e->domain_id = sg_row_text(row);
    e->partner = sg_row_text(row);
    e->description = sg_row_text(row);
    e->expires_at = sg_row_time(row);
}

bool sg_api_exception_insert(struct sg_tx *tx, struct sg_arena *arena,
                             const struct sg_api_exception *row, struct sg_api_exception *row_r,
                             struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_domain(&p, row->tenant_id, row->domain_id);
    sg_param_text(&p, row->partner);
    sg_param_text(&p, row->description);
    sg_param_time_or_null(&p, row->expires_at);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_EXCEPTION_INSERT, &p, exception_take, row_r,
                      "no exception made", err);
}

bool sg_api_exception_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           const char *domain_id, const char *id, struct sg_api_exception *row_r,
                           struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_domain(&p, tenant_id, domain_id);
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_EXCEPTION_FIND, &p, exception_take, row_r,
                      "no such exception", err);
}

bool sg_api_exception_delete(struct sg_tx *tx, const char *tenant_id, const char *domain_id,
                             const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_domain(&p, tenant_id, domain_id);
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_EXCEPTION_DELETE, &p, NULL, "no such exception", err);
}

bool sg_api_exception_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           const char *domain_id, const struct sg_api_page *page,
                           struct sg_api_exception **rows_r, size_t *count_r, struct sg_error *err)
{
    *rows_r = sg_api_domain_rows(tx, arena, SG_Q_API_EXCEPTION_LIST, tenant_id, domain_id, page,
                                 exception_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

/* Roots of a domain -----------------------------------------------------------------------------
 */

static void anchor_take(struct sg_row *row, void *item)
{
    struct sg_api_anchor *a = item;
    sg_row_key(row, &a->key);
    a->der = sg_row_bytes(row);
    a->sha256 = sg_row_bytes(row);
    a->subject = sg_row_text(row);
    a->not_after = sg_row_time(row);
}

bool sg_api_domain_anchor_insert(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const char *domain_id, const struct sg_api_anchor *row,
                                 struct sg_api_anchor *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_domain(&p, tenant_id, domain_id);
    sg_param_bytes(&p, row->der);
    sg_param_bytes(&p, row->sha256);
    sg_param_text(&p, row->subject);
    sg_param_time(&p, row->not_after);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_DOMAIN_ANCHOR_INSERT, &p, anchor_take, row_r,
                      "no anchor made", err);
}

bool sg_api_domain_anchor_delete(struct sg_tx *tx, const char *tenant_id, const char *domain_id,
                                 const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_domain(&p, tenant_id, domain_id);
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_DOMAIN_ANCHOR_DELETE, &p, NULL, "no such trust anchor",
                           err);
}

bool sg_api_domain_anchor_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                               const char *domain_id, const struct sg_api_page *page,
                               struct sg_api_anchor **rows_r, size_t *count_r, struct sg_error *err)
{
    *rows_r = sg_api_domain_rows(tx, arena, SG_Q_API_DOMAIN_ANCHOR_LIST, tenant_id, domain_id, page,
                                 anchor_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

/* Partners' certificates ------------------------------------------------------------------------
 */

static void partner_take(struct sg_row *row, void *item)
{
    struct sg_api_partner *c = item;
    sg_row_key(row, &c->key);
    c->domain = sg_row_text(row);
    c->der = sg_row_bytes(row);
    c->sha256 = sg_row_bytes(row);
    c->source = sg_row_text(row);
    c->origin = sg_row_text(row);
    c->state = sg_row_text(row);
    c->not_before = sg_row_time(row);
    c->not_after = sg_row_time(row);
    bool all = sg_row_is_null(row);
    const char *relying = sg_row_text(row);
    c->relying_id = all ? NULL : relying;
}

bool sg_api_partner_insert(struct sg_tx *tx, struct sg_arena *arena,
                           const struct sg_api_partner *row, struct sg_api_partner *row_r,
                           struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->domain);
    sg_param_bytes(&p, row->der);
    sg_param_text(&p, row->origin);
    sg_param_time(&p, row->not_before);
    sg_param_time(&p, row->not_after);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_PARTNER_INSERT, &p, partner_take, row_r,
                      "no certificate stored", err);
}

bool sg_api_partner_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                         struct sg_api_partner *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_PARTNER_FIND, &p, partner_take, row_r,
                      "no such partner certificate", err);
}

bool sg_api_partner_state_set(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                              const char *state, struct sg_api_partner *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, state);
    return sg_api_row(tx, arena, SG_Q_API_PARTNER_STATE, &p, partner_take, row_r,
                      "no such partner certificate", err);
}

bool sg_api_partner_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_PARTNER_DELETE, &p, NULL, "no such partner certificate",
                           err);
}

bool sg_api_partner_list(struct sg_tx *tx, struct sg_arena *arena, const char *domain,
                         const char *state, const struct sg_api_page *page,
                         struct sg_api_partner **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain);
    sg_param_text(&p, state);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_PARTNER_LIST, &p, partner_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}
