#include "schema/api_client.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_client *c = item;
    sg_row_key(row, &c->key);
    c->tenant_id = sg_row_text(row);
    c->name = sg_row_text(row);
    c->role = sg_row_text(row);
    c->scope = sg_row_text(row);
    c->state = sg_row_text(row);
    c->updated_at = sg_row_time(row);
}

bool sg_api_client_insert(struct sg_tx *tx, struct sg_arena *arena,
                          const struct sg_api_client *client, struct sg_api_client *row_r,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, client->key.id);
    sg_param_text(&p, client->tenant_id);
    sg_param_text(&p, client->name);
    sg_param_text(&p, client->role);
    sg_param_text(&p, client->scope);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_CLIENT_INSERT, &p, take, row_r, "not inserted", err);
}

bool sg_api_client_find(struct sg_tx *tx, struct sg_arena *arena, const char *id, bool lock,
                        struct sg_api_client *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, lock ? SG_Q_API_CLIENT_LOCK : SG_Q_API_CLIENT_FIND, &p, take,
                      row_r, "no such client", err);
}

bool sg_api_client_change(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          const char *name, const char *state, struct sg_api_client *row_r,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, name);
    sg_param_text(&p, state);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_CLIENT_CHANGE, &p, take, row_r, "no such client", err);
}

bool sg_api_client_list(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_page *page,
                        struct sg_api_client **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_CLIENT_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

static void certificate_take(struct sg_row *row, void *item)
{
    struct sg_api_client_certificate *c = item;
    sg_row_key(row, &c->key);
    c->client_id = sg_row_text(row);
    c->fingerprint = sg_row_text(row);
    c->description = sg_row_text(row);
}

bool sg_api_client_certificate_insert(struct sg_tx *tx, struct sg_arena *arena,
                                      const struct sg_api_client *client,
                                      const struct sg_api_client_certificate *item,
                                      struct sg_api_client_certificate *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, item->key.id);
    sg_param_text(&p, client->key.id);
    sg_param_text(&p, client->tenant_id);
    sg_param_text(&p, item->fingerprint);
    sg_param_text(&p, item->description);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_CLIENT_CERTIFICATE_INSERT, &p, certificate_take, row_r,
                      "not inserted", err);
}

bool sg_api_client_certificate_list(struct sg_tx *tx, struct sg_arena *arena, const char *client_id,
                                    const struct sg_api_page *page,
                                    struct sg_api_client_certificate **rows_r, size_t *count_r,
                                    struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, client_id);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_CLIENT_CERTIFICATE_LIST, &p, certificate_take,
                          sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_client_certificate_delete(struct sg_tx *tx, const char *client_id, const char *id,
                                      struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, client_id);
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_CLIENT_CERTIFICATE_DELETE, &p, NULL, "no such certificate",
                           err);
}

static void auth_take(struct sg_row *row, void *item)
{
    struct sg_api_certificate_auth *a = item;
    a->client_id = sg_row_text(row);
    a->tenant_id = sg_row_text(row);
    a->role = sg_row_text(row);
    a->name = sg_row_text(row);
    a->scope = sg_row_text(row);
    a->client_state = sg_row_text(row);
    a->tenant_state = sg_row_text(row);
}

bool sg_api_certificate_auth(struct sg_tx *tx, struct sg_arena *arena, const char *fingerprint,
                             struct sg_api_certificate_auth *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, fingerprint);
    return sg_api_row(tx, arena, SG_Q_API_CERTIFICATE_AUTH, &p, auth_take, row_r,
                      "no such certificate", err);
}
