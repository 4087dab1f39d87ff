/* Documents of the provider and their acknowledgements (REQ-142, 155, 157, 185 to 188). A tenant
 * acknowledges what it has read: the hash of the text goes with it. */
#include "schema/api_document.h"

#include "api/check.h"
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"

#include <openssl/evp.h>

static const char *const kinds[] = {
    "contract",  "terms",    "good-practice",  "acceptable-use", "consent", "electronic-signature",
    "integrity", "identity", "shared-mailbox", "other",          NULL};
static const char *const yes_no[] = {"true", "false", NULL};

struct document_new {
    const char *kind, *title, *version, *text, *url, *sha256;
    bool required;
    sg_time valid_from;
};
static const struct api_field new_fields[] = {
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct document_new, kind),
     .choices = kinds},
    {.name = "title",
     .type = API_STRING,
     .offset = offsetof(struct document_new, title),
     .min = 1,
     .max = 200,
     .check = api_check_name},
    {.name = "version",
     .type = API_STRING,
     .offset = offsetof(struct document_new, version),
     .min = 1,
     .max = 40,
     .check = api_check_name},
    {.name = "text",
     .type = API_TEXT,
     .offset = offsetof(struct document_new, text),
     .optional = true,
     .max = 60000,
     .initial_text = ""},
    {.name = "url",
     .type = API_STRING,
     .offset = offsetof(struct document_new, url),
     .optional = true,
     .max = 500,
     .initial_text = ""},
    {.name = "sha256",
     .type = API_STRING,
     .offset = offsetof(struct document_new, sha256),
     .optional = true,
     .min = 1,
     .max = 128,
     .check = api_check_fingerprint},
    {.name = "required",
     .type = API_BOOLEAN,
     .offset = offsetof(struct document_new, required),
     .optional = true},
    {.name = "valid_from",
     .type = API_TIME,
     .offset = offsetof(struct document_new, valid_from),
     .optional = true},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    struct document_new *d = out;
    uint8_t hash[32];
    if ((*d->text != 0) == (*d->url != 0))
        return api_invalid(err, "text", "either the text or a url is needed");
    if (*d->url)
        return (strncmp(d->url, "https://", 8) == 0 && !strpbrk(d->url, " \"<>"))
                   ? d->sha256 || api_invalid(err, "sha256", "is required with a url")
                   : api_invalid(err, "url", "must begin with https://");
    if (EVP_Digest(d->text, strlen(d->text), hash, NULL, EVP_sha256(), NULL) != 1)
        return sg_fail_openssl(err, SG_E_CRYPTO, "no SHA-256");
    const char *own = api_hex(arena, sg_bytes_of(hash, sizeof hash));
    if (d->sha256 && strcmp(d->sha256, own) != 0)
        return api_invalid(err, "sha256", "is not the hash of the text, which is %s", own);
    d->sha256 = own;
    return true;
}
const struct api_spec api_document_new = {new_fields, 8, sizeof(struct document_new), new_check};

static json_t *document_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_document *d = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "id", d->key.id, "kind",
                     d->kind, "title", d->title, "version", d->version, "url", d->url, "sha256",
                     d->sha256, "required", d->required, "valid_from", api_json_time(d->valid_from),
                     "withdrawn_at", api_json_time_or_null(d->withdrawn_at), "created_at",
                     api_json_time(d->key.at));
}

static json_t *document_whole(struct sg_arena *arena, const struct sg_api_document *d)
{
    json_t *json = document_json(arena, d);
    json_object_set_new(json, "text", json_string(d->text));
    return json;
}

static json_t *document_of_tenant(struct sg_arena *arena, const void *row)
{
    const struct sg_api_document *d = row;
    json_t *json = document_json(arena, d);
    json_object_set_new(json, "acknowledged_at", api_json_time_or_null(d->acknowledged_at));
    json_object_set_new(json, "acknowledged_role", api_json_text_or_null(d->acknowledged_role));
    return json;
}

bool api_document_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct document_new *body = r->fields;
    struct sg_id id = sg_id_new("doc");
    const struct sg_api_document wanted = {.key = {.id = id.text},
                                           .kind = body->kind,
                                           .title = body->title,
                                           .version = body->version,
                                           .text = body->text,
                                           .url = body->url,
                                           .sha256 = body->sha256,
                                           .required = body->required,
                                           .valid_from = body->valid_from};
    struct sg_api_document made;
    if (!sg_api_document_insert(tx, r->arena, &wanted, &made, err))
        return api_conflict(err, "/version", "this version is published already");
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/documents/%s", id.text),
                             document_whole(r->arena, &made));
}

bool api_document_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_document *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_document_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, document_json);
}

bool api_document_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_document row;
    return sg_api_document_find(tx, r->arena, api_param(r, "document_id"), &row, err) &&
           api_reply_ok(r, document_whole(r->arena, &row));
}

bool api_document_withdraw(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_document row;
    return sg_api_document_withdraw(tx, r->arena, api_param(r, "document_id"), &row, err) &&
           api_reply_ok(r, document_whole(r->arena, &row));
}

/* A tenant's ------------------------------------------------------------------------------------
 */

struct document_query {
    struct api_page_query page;
    const char *outstanding;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "outstanding",
     .type = API_STRING,
     .offset = offsetof(struct document_query, outstanding),
     .optional = true,
     .choices = yes_no},
};
const struct api_spec api_document_query = {query_fields, 3, sizeof(struct document_query), NULL};

bool api_tenant_document_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct document_query *query = r->parameters;
    bool outstanding = query->outstanding && strcmp(query->outstanding, "true") == 0;
    struct sg_api_page page;
    struct sg_api_document *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_document_list_tenant(tx, r->arena, r->tenant.key.id, outstanding, &page, &rows,
                                       &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, document_of_tenant);
}

struct acknowledge {
    const char *document_id, *sha256, *role;
};
static bool check_document_id(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "doc") ||
           sg_fail(err, SG_E_INVALID, "must be the id of a document (doc_…)");
}
static const struct api_field acknowledge_fields[] = {
    {.name = "document_id",
     .type = API_STRING,
     .offset = offsetof(struct acknowledge, document_id),
     .check = check_document_id},
    {.name = "sha256",
     .type = API_STRING,
     .offset = offsetof(struct acknowledge, sha256),
     .min = 1,
     .max = 128,
     .check = api_check_fingerprint},
    {.name = "role",
     .type = API_STRING,
     .offset = offsetof(struct acknowledge, role),
     .min = 1,
     .max = 100,
     .check = api_check_name},
};
const struct api_spec api_acknowledge = {acknowledge_fields, 3, sizeof(struct acknowledge), NULL};

static json_t *acknowledgement_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_acknowledgement *a = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", a->key.id, "tenant_id",
                     a->tenant_id, "document_id", a->document_id, "kind", a->kind, "title",
                     a->title, "version", a->version, "sha256", a->sha256, "role", a->role,
                     "created_at", api_json_time(a->key.at));
}

bool api_acknowledgement_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct acknowledge *body = r->fields;
    struct sg_api_acknowledgement made;
    if (sg_api_acknowledge(tx, r->arena, r->tenant.key.id, body->document_id, body->sha256,
                           body->role, &made, err))
        return api_reply_created(
            r, sg_arena_printf(r->arena, "/v1/tenants/%s/acknowledgements", r->tenant.key.id),
            acknowledgement_json(r->arena, &made));
    if (err->code == SG_E_NOT_FOUND)
        return api_invalid(err, "document_id",
                           "is of no document in force, or sha256 is of another text");
    return api_conflict(err, "/document_id", "it is acknowledged already");
}

bool api_acknowledgement_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_acknowledgement *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_acknowledgement_list(tx, r->arena, r->tenant.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, acknowledgement_json);
}
