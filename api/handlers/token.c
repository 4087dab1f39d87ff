/* Access tokens: the secret is shown once, when one is made. */
#include "schema/token.h"
#include "api/auth.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"

#include <stdio.h>

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

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct token_new *body = out;
    const struct sg_role *role = sg_role_find(body->role);
    if (body->tenant_id && !role->tenant)
        return api_invalid(err, "tenant_id", "is for the roles of a tenant alone");
    return body->tenant_id || role->platform || api_invalid(err, "tenant_id", "is required");
}
const struct api_spec api_token_new = {new_fields, 5, sizeof(struct token_new), new_check};

/* Nobody hands on more than he has. */
static bool grantable(const struct api_request *r, const struct token_new *body,
                      struct sg_error *err)
{
    struct sg_access access;
    if (!sg_access_of(body->role, body->tenant_id != NULL, body->scope, &access, err))
        return false;
    if (access.read == 0 && access.write == 0)
        return api_invalid(err, "scope", "has nothing that the role has");
    if (sg_access_within(&access, &r->caller.access))
        return true;
    sg_fail(err, SG_E_FORBIDDEN, "your own token may not do all of that");
    snprintf(err->field, sizeof err->field, "/%s", body->scope ? "scope" : "role");
    return false;
}

static json_t *token_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_token *t = row;
    return json_pack("{s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "id", t->key.id, "tenant_id",
                     api_json_text_or_null(t->tenant_id), "role", t->role, "scope",
                     api_json_text_or_null(t->scope), "name", t->name, "created_at",
                     api_json_time(t->key.at), "expires_at", api_json_time(t->expires_at),
                     "revoked_at", api_json_time_or_null(t->revoked_at), "last_used_at",
                     api_json_time_or_null(t->last_used_at));
}

bool api_token_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct token_new *body = r->fields;
    struct sg_api_tenant tenant;
    struct sg_api_token made;
    SG_AUTO_SECRET secret = {0};
    uint8_t hash[32];
    struct sg_id id = sg_id_new("tok");
    api_auth_token_new(&secret, hash);
    const struct sg_token_new token = {.id = id.text,
                                       .tenant_id = body->tenant_id,
                                       .role = body->role,
                                       .name = body->name,
                                       .scope = body->scope,
                                       .hash = sg_bytes_of(hash, sizeof hash),
                                       .expires_at =
                                           sg_tx_now(tx) + body->expires_in_days * SG_DAY};
    if (!grantable(r, body, err))
        return false;
    if (body->tenant_id && !sg_api_tenant_find(tx, r->arena, body->tenant_id, &tenant, err))
        return err->code == SG_E_NOT_FOUND &&
               api_invalid(err, "tenant_id", "there is no such tenant");
    if (!sg_token_insert(tx, &token, err) || !sg_api_token_find(tx, r->arena, id.text, &made, err))
        return false;
    json_t *json = token_json(r->arena, &made);
    json_object_set_new(json, "token", json_stringn((const char *)secret.data, secret.len));
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/tokens/%s", id.text), json);
}

bool api_token_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_token *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_token_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, token_json);
}

bool api_token_revoke(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_token_revoke(tx, api_param(r, "token_id"), err) && api_reply_gone(r);
}
