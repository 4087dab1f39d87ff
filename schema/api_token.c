#include "schema/api_token.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_token *t = item;
    sg_row_key(row, &t->key);
    t->tenant_id = sg_row_text(row);
    t->role = sg_row_text(row);
    t->name = sg_row_text(row);
    t->scope = sg_row_text(row);
    t->expires_at = sg_row_time(row);
    t->revoked_at = sg_row_time(row);
    t->last_used_at = sg_row_time(row);
    t->client_id = sg_row_text(row);
    t->bound = sg_row_bool(row);
}

static void auth_take(struct sg_row *row, void *item)
{
    struct sg_api_token_auth *a = item;
    a->id = sg_row_text(row);
    a->tenant_id = sg_row_text(row);
    a->role = sg_row_text(row);
    a->name = sg_row_text(row);
    a->expires_at = sg_row_time(row);
    a->revoked_at = sg_row_time(row);
    a->tenant_state = sg_row_text(row);
    a->scope = sg_row_text(row);
    a->last_used_at = sg_row_time(row);
    a->client_id = sg_row_text(row);
    a->client_state = sg_row_text(row);
    a->bound = sg_row_bool(row);
}

bool sg_api_token_auth(struct sg_tx *tx, struct sg_arena *arena, struct sg_bytes hash,
                       struct sg_api_token_auth *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_bytes(&p, hash);
    return sg_api_row(tx, arena, SG_Q_API_TOKEN_AUTH, &p, auth_take, row_r, "no such token", err);
}

bool sg_api_token_used(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_API_TOKEN_USED, &p, NULL, err);
}

bool sg_api_token_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                       struct sg_api_token *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_TOKEN_FIND, &p, take, row_r, "no such token", err);
}

bool sg_api_token_revoke(struct sg_tx *tx, const char *client_id, const char *id,
                         struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, client_id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_TOKEN_REVOKE, &p, NULL, "no such token", err);
}

bool sg_api_token_valid_count(struct sg_tx *tx, const char *client_id, int64_t *count_r,
                              struct sg_error *err)
{
    struct sg_params p = {0};
    SG_AUTO_ROWS rows = {0};
    sg_param_text(&p, client_id);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query_one(tx, SG_Q_API_TOKEN_VALID_COUNT, &p, &rows, "no count", err))
        return false;
    struct sg_row row = sg_row_at(&rows, 0, NULL);
    *count_r = sg_row_int(&row);
    return sg_row_end(&row, err);
}

bool sg_api_token_list(struct sg_tx *tx, struct sg_arena *arena, const char *client_id,
                       const struct sg_api_page *page, struct sg_api_token **rows_r,
                       size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, client_id);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_TOKEN_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
