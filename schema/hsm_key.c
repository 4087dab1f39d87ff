#include "schema/hsm_key.h"

#include "schema/db_internal.h"
#include "schema/pair.h"

static void take(struct sg_row *r, void *item)
{
    struct sg_hsm_key_row *row = item;
    row->id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->domain_id = sg_row_text(r);
    row->kind = sg_row_text(r);
    row->algorithm = sg_row_text(r);
    row->state = sg_row_text(r);
    row->spki = sg_row_bytes(r);
    row->blob = sg_row_bytes(r);
    row->domain_name = sg_row_text(r);
    row->tenant_name = sg_row_text(r);
    row->csr = sg_row_bytes(r);
    row->created_at = sg_row_time(r);
}

bool sg_hsm_key_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                     struct sg_hsm_key_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_db_find(db, arena, SG_Q_HSM_KEY_FIND, &p, take, row_r, found_r, err);
}

bool sg_hsm_key_find_by_spki(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                             struct sg_bytes spki, struct sg_hsm_key_row *row_r, bool *found_r,
                             struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_bytes(&p, spki);
    return sg_db_find(db, arena, SG_Q_HSM_KEY_FIND_BY_SPKI, &p, take, row_r, found_r, err);
}

bool sg_hsm_key_activate(struct sg_tx *tx, const char *id, struct sg_bytes spki,
                         struct sg_bytes blob, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_bytes(&p, spki);
    sg_param_bytes(&p, blob.len ? blob : (struct sg_bytes){0});
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_HSM_KEY_ACTIVATE, &p, &rows, err))
        return false;
    return rows.affected == 1 || sg_fail(err, SG_E_CONFLICT, "the key is not pending");
}

bool sg_hsm_key_fail(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_HSM_KEY_FAIL, &p, NULL, err);
}

bool sg_hsm_key_set_csr(struct sg_tx *tx, const char *id, struct sg_bytes csr, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_bytes(&p, csr);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_HSM_KEY_SET_CSR, &p, NULL, "the key is not active", err);
}

bool sg_hsm_key_insert(struct sg_tx *tx, const char *id, const char *tenant_id,
                       const char *domain_id, const char *kind, const char *algorithm,
                       struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    sg_param_text(&p, kind);
    sg_param_text(&p, algorithm);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_HSM_KEY_INSERT, &p, NULL, "not inserted", err);
}

bool sg_hsm_key_retire(struct sg_tx *tx, int64_t grace_ms, int *count_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_int(&p, grace_ms);
    if (!sg_tx_query(tx, SG_Q_HSM_KEY_RETIRE, &p, &rows, err))
        return false;
    *count_r = rows.affected;
    return true;
}

bool sg_hsm_key_destroyable(struct sg_db *db, struct sg_arena *arena, sg_time retired_before,
                            const char *after, int limit, struct sg_pair **pairs_r, size_t *count_r,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time_or_null(&p, retired_before);
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_HSM_KEY_DESTROYABLE, &p, pairs_r, count_r, err);
}

bool sg_hsm_key_destroyed(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_HSM_KEY_DESTROYED, &p, NULL,
                           "the key is neither failed nor retired", err);
}
