/*
 * API clients (REQ-138): a billing system, a portal. A client has a role, at most two valid tokens
 * at a time (so that one can be exchanged for the next), and TLS client certificates, any of which
 * is enough. Disabling it ends all of that with the next request (REQ-140).
 */
#include "api/auth.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_client.h"
#include "schema/token.h"

#define TOKENS_VALID_MAX 2

static const char *const states[] = {"active", "disabled", NULL};

struct client_new {
    const char *name, *role, *scope, *tenant_id;
};
static const struct api_field new_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct client_new, name),
     .min = 1,
     .max = 200,
     .check = api_check_name},
    {.name = "role",
     .type = API_STRING,
     .offset = offsetof(struct client_new, role),
     .choices = sg_role_names},
    {.name = "scope",
     .type = API_STRING,
     .offset = offsetof(struct client_new, scope),
     .optional = true,
     .min = 1,
     .max = 800,
     .check = api_check_scope},
    {.name = "tenant_id",
     .type = API_STRING,
     .offset = offsetof(struct client_new, tenant_id),
     .optional = true,
     .check = api_check_tenant_id},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct client_new *body = out;
    return api_role_place_check(body->role, body->tenant_id, err);
}
const struct api_spec api_client_new = {new_fields, 4, sizeof(struct client_new), new_check};

struct client_patch {
    const char *name, *state;
};
static const struct api_field patch_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct client_patch, name),
     .optional = true,
     .min = 1,
     .max = 200,
     .check = api_check_name},
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct client_patch, state),
     .optional = true,
     .choices = states},
};
const struct api_spec api_client_patch = {patch_fields, 2, sizeof(struct client_patch), NULL};

struct client_token_new {
    const char *name, *scope;
    int64_t expires_in_days;
    bool bound;
};
static const struct api_field token_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct client_token_new, name),
     .optional = true,
     .min = 1,
     .max = 200,
     .check = api_check_name},
    {.name = "scope",
     .type = API_STRING,
     .offset = offsetof(struct client_token_new, scope),
     .optional = true,
     .min = 1,
     .max = 800,
     .check = api_check_scope},
    {.name = "expires_in_days",
     .type = API_INTEGER,
     .offset = offsetof(struct client_token_new, expires_in_days),
     .optional = true,
     .min = 1,
     .max = 730,
     .initial = 365},
    {.name = "bound",
     .type = API_BOOLEAN,
     .offset = offsetof(struct client_token_new, bound),
     .optional = true},
};
const struct api_spec api_client_token_new = {token_fields, 4, sizeof(struct client_token_new),
                                              NULL};

struct certificate_new {
    const char *fingerprint, *description;
};
static const struct api_field certificate_fields[] = {
    {.name = "fingerprint",
     .type = API_STRING,
     .offset = offsetof(struct certificate_new, fingerprint),
     .min = 1,
     .max = 128,
     .check = api_check_fingerprint},
    {.name = "description",
     .type = API_STRING,
     .offset = offsetof(struct certificate_new, description),
     .optional = true,
     .max = 200,
     .initial_text = ""},
};
const struct api_spec api_client_certificate_new = {certificate_fields, 2,
                                                    sizeof(struct certificate_new), NULL};

static json_t *client_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_client *c = row;
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:s, s:o, s:o}", "id", c->key.id, "tenant_id",
                     api_json_text_or_null(c->tenant_id), "name", c->name, "role", c->role, "scope",
                     api_json_text_or_null(c->scope), "state", c->state, "created_at",
                     api_json_time(c->key.at), "updated_at", api_json_time(c->updated_at));
}

static json_t *certificate_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_client_certificate *c = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", c->key.id, "client_id", c->client_id,
                     "fingerprint", c->fingerprint, "description", c->description, "created_at",
                     api_json_time(c->key.at));
}

/* The client of the path. with_rights: what is done would hand its rights to somebody. */
static bool client_find(const struct api_request *r, struct sg_tx *tx, bool with_rights,
                        struct sg_api_client *client, struct sg_error *err)
{
    return sg_api_client_find(tx, r->arena, api_param(r, "client_id"), with_rights, client, err) &&
           (!with_rights ||
            api_grantable(r, client->role, client->tenant_id != NULL, client->scope, err));
}

bool api_client_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct client_new *body = r->fields;
    struct sg_api_tenant tenant;
    struct sg_id id = sg_id_new("cli");
    struct sg_api_client made, client = {.key.id = id.text,
                                         .tenant_id = body->tenant_id,
                                         .name = body->name,
                                         .role = body->role,
                                         .scope = body->scope};
    if (!api_grantable(r, body->role, body->tenant_id != NULL, body->scope, err))
        return false;
    if (body->tenant_id && !sg_api_tenant_find(tx, r->arena, body->tenant_id, &tenant, err))
        return err->code == SG_E_NOT_FOUND &&
               api_invalid(err, "tenant_id", "there is no such tenant");
    return sg_api_client_insert(tx, r->arena, &client, &made, err) &&
           api_reply_created(r, sg_arena_printf(r->arena, "/v1/api-clients/%s", id.text),
                             client_json(r->arena, &made));
}

bool api_client_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_client *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_client_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, client_json);
}

bool api_client_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_client client;
    return client_find(r, tx, false, &client, err) &&
           api_reply_ok(r, client_json(r->arena, &client));
}

bool api_client_change(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct client_patch *body = r->fields;
    struct sg_api_client client;
    bool enables = body->state && strcmp(body->state, "active") == 0;
    return client_find(r, tx, enables, &client, err) &&
           sg_api_client_change(tx, r->arena, client.key.id, body->name, body->state, &client,
                                err) &&
           api_reply_ok(r, client_json(r->arena, &client));
}

bool api_client_token_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct client_token_new *body = r->fields;
    struct sg_api_client client;
    struct sg_access all, narrow;
    int64_t valid;
    if (!client_find(r, tx, true, &client, err) ||
        !sg_access_of(client.role, client.tenant_id != NULL, client.scope, &all, err) ||
        !sg_access_of(client.role, client.tenant_id != NULL,
                      body->scope ? body->scope : client.scope, &narrow, err) ||
        !sg_api_token_valid_count(tx, client.key.id, &valid, err))
        return false;
    if (!sg_access_within(&narrow, &all))
        return api_invalid(err, "scope", "has more than the client has");
    if (valid >= TOKENS_VALID_MAX)
        return sg_fail(err, SG_E_CONFLICT,
                       "the client has %d valid tokens: revoke one of them first",
                       TOKENS_VALID_MAX);
    struct sg_token_new token = {.tenant_id = client.tenant_id,
                                 .role = client.role,
                                 .name = body->name ? body->name : client.name,
                                 .scope = body->scope ? body->scope : client.scope,
                                 .expires_at = sg_tx_now(tx) + body->expires_in_days * SG_DAY,
                                 .client_id = client.key.id,
                                 .bound = body->bound};
    return api_token_make(r, tx, &token, err);
}

bool api_client_token_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_client client;
    struct sg_api_page page;
    struct sg_api_token *rows;
    size_t count;
    return api_page_read(r, &page, err) && client_find(r, tx, false, &client, err) &&
           sg_api_token_list(tx, r->arena, client.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, api_token_json);
}

bool api_client_token_revoke(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_token_revoke(tx, api_param(r, "client_id"), api_param(r, "token_id"), err) &&
           api_reply_gone(r);
}

bool api_client_certificate_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct certificate_new *body = r->fields;
    struct sg_api_client client;
    struct sg_id id = sg_id_new("ccr");
    struct sg_api_client_certificate made, item = {.key.id = id.text,
                                                   .fingerprint = body->fingerprint,
                                                   .description = body->description};
    if (!client_find(r, tx, true, &client, err))
        return false;
    if (!sg_api_client_certificate_insert(tx, r->arena, &client, &item, &made, err))
        return api_conflict(err, "/fingerprint", "the certificate is a client's already");
    return api_reply_created(
        r, sg_arena_printf(r->arena, "/v1/api-clients/%s/certificates/%s", client.key.id, id.text),
        certificate_json(r->arena, &made));
}

bool api_client_certificate_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_client client;
    struct sg_api_page page;
    struct sg_api_client_certificate *rows;
    size_t count;
    return api_page_read(r, &page, err) && client_find(r, tx, false, &client, err) &&
           sg_api_client_certificate_list(tx, r->arena, client.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, certificate_json);
}

bool api_client_certificate_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_client_certificate_delete(tx, api_param(r, "client_id"),
                                            api_param(r, "client_certificate_id"), err) &&
           api_reply_gone(r);
}
