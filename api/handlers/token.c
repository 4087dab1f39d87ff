/* Access tokens: the secret is shown once, when one is made. */
#include "schema/token.h"
#include "api/auth.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"

struct token_new {
    const char *name, *role, *scope, *tenant_id;
    int64_t expires_in_days;
};
static const struct api_field new_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct token_new, name),
     .min = 1,
     .max = 200,
     .check = api_check_name},
    {.name = "role",
     .type = API_STRING,
     .offset = offsetof(struct token_new, role),
     .choices = sg_role_names},
    {.name = "scope",
     .type = API_STRING,
     .offset = offsetof(struct token_new, scope),
     .optional = true,
     .min = 1,
     .max = 800,
     .check = api_check_scope},
    {.name = "tenant_id",
     .type = API_STRING,
     .offset = offsetof(struct token_new, tenant_id),
     .optional = true,
     .check = api_check_tenant_id},
    {.name = "expires_in_days",
     .type = API_INTEGER,
     .offset = offsetof(struct token_new, expires_in_days),
     .optional = true,
     .min = 1,
     .max = 730,
     .initial = 365},
};

bool api_role_place_check(const char *name, const char *tenant_id, struct sg_error *err)
{
    const struct sg_role *role = sg_role_find(name);
    if (tenant_id && !role->tenant)
        return api_invalid(err, "tenant_id", "is for the roles of a tenant alone");
    return tenant_id || role->platform || api_invalid(err, "tenant_id", "is required");
}

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct token_new *body = out;
    return api_role_place_check(body->role, body->tenant_id, err);
}
const struct api_spec api_token_new = {new_fields, 5, sizeof(struct token_new), new_check};

/* Nobody hands on more than he has. */
bool api_grantable(const struct api_request *r, const char *role, bool tenant, const char *scope,
                   struct sg_error *err)
{
    struct sg_access access;
    if (!sg_access_of(role, tenant, scope, &access, err))
        return false;
    if (access.read == 0 && access.write == 0)
        return api_invalid(err, "scope", "has nothing that the role has");
    return sg_access_within(&access, &r->caller.access) ||
           sg_fail(err, SG_E_FORBIDDEN, "you may not do all of that yourself");
}

json_t *api_token_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_token *t = row;
    return json_pack(
        "{s:s, s:o, s:o, s:s, s:o, s:s, s:b, s:o, s:o, s:o, s:o}", "id", t->key.id, "tenant_id",
        api_json_text_or_null(t->tenant_id), "client_id", api_json_text_or_null(t->client_id),
        "role", t->role, "scope", api_json_text_or_null(t->scope), "name", t->name, "bound",
        t->bound, "created_at", api_json_time(t->key.at), "expires_at",
        api_json_time(t->expires_at), "revoked_at", api_json_time_or_null(t->revoked_at),
        "last_used_at", api_json_time_or_null(t->last_used_at));
}

bool api_token_make(struct api_request *r, struct sg_tx *tx, struct sg_token_new *token,
                    struct sg_error *err)
{
    struct sg_api_token made;
    SG_AUTO_SECRET secret = {0};
    uint8_t hash[32];
    struct sg_id id = sg_id_new("tok");
    if (!api_grantable(r, token->role, token->tenant_id != NULL, token->scope, err))
        return false;
    api_auth_token_new(&secret, hash);
    token->id = id.text;
    token->hash = sg_bytes_of(hash, sizeof hash);
    if (!sg_token_insert(tx, token, err) || !sg_api_token_find(tx, r->arena, id.text, &made, err))
        return false;
    json_t *json = api_token_json(r->arena, &made);
    json_object_set_new(json, "token", json_stringn((const char *)secret.data, secret.len));
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/tokens/%s", id.text), json) &&
           api_reply_secret(r, "token");
}

bool api_token_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct token_new *body = r->fields;
    struct sg_api_tenant tenant;
    struct sg_token_new token = {.tenant_id = body->tenant_id,
                                 .role = body->role,
                                 .name = body->name,
                                 .scope = body->scope,
                                 .expires_at = sg_tx_now(tx) + body->expires_in_days * SG_DAY};
    if (body->tenant_id && !sg_api_tenant_find(tx, r->arena, body->tenant_id, &tenant, err))
        return err->code == SG_E_NOT_FOUND &&
               api_invalid(err, "tenant_id", "there is no such tenant");
    return api_token_make(r, tx, &token, err);
}

bool api_token_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_token *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_token_list(tx, r->arena, NULL, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, api_token_json);
}

bool api_token_revoke(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_token_revoke(tx, NULL, api_param(r, "token_id"), err) && api_reply_gone(r);
}
