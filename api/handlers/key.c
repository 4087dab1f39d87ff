/* Keys are made, and requests signed, by tenantd through hsmd: here they become jobs. */
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"
#include "schema/api_job.h"
#include "schema/api_key.h"

static const char *const algorithms[] = {"rsa-2048", "rsa-3072", "rsa-4096",
                                         "ec-p256",  "ec-p384",  NULL};
static const char *const kinds[] = {"token", "wrapped", NULL};

struct key_new {
    const char *algorithm, *kind;
};
static const struct api_field new_fields[] = {
    {.name = "algorithm",
     .type = API_STRING,
     .offset = offsetof(struct key_new, algorithm),
     .choices = algorithms},
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct key_new, kind),
     .choices = kinds},
};
const struct api_spec api_key_new = {new_fields, 2, sizeof(struct key_new), NULL};

static json_t *key_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_hsm_key *k = row;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", k->key.id, "tenant_id",
        k->tenant_id, "domain_id", k->domain_id, "kind", k->kind, "algorithm", k->algorithm,
        "state", k->state, "spki_sha256", api_json_hex_or_null(arena, k->spki_sha256),
        "public_key_pem",
        api_json_text_or_null(k->spki.len ? api_pem_write(arena, "PUBLIC KEY", k->spki) : NULL),
        "created_at", api_json_time(k->key.at), "updated_at", api_json_time(k->updated_at));
}

static bool key_find(struct api_request *r, struct sg_tx *tx, struct sg_api_hsm_key *key_r,
                     struct sg_error *err)
{
    return sg_api_key_find(tx, r->arena, r->tenant.key.id, r->domain.key.id, api_param(r, "key_id"),
                           key_r, err);
}

bool api_key_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct key_new *body = r->fields;
    struct sg_id id = sg_id_new("key");
    struct sg_api_hsm_key key;
    struct sg_api_job job;
    const char *location;
    return sg_api_key_insert(tx, r->arena, id.text, r->tenant.key.id, r->domain.key.id, body->kind,
                             body->algorithm, &key, err) &&
           api_job_make(r, tx, "key.generate", json_pack("{s:s}", "key_id", id.text), &job,
                        &location, err) &&
           api_reply_accepted(r, location,
                              json_pack("{s:o, s:o}", "key", key_json(r->arena, &key), "job",
                                        api_job_json(r->arena, &job)));
}

bool api_key_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_hsm_key *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_key_list(tx, r->arena, r->tenant.key.id, r->domain.key.id, &page, &rows, &count,
                           err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, key_json);
}

bool api_key_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_hsm_key key;
    return key_find(r, tx, &key, err) && api_reply_ok(r, key_json(r->arena, &key));
}

bool api_csr_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_hsm_key key;
    struct sg_api_job job;
    const char *location;
    if (!key_find(r, tx, &key, err))
        return false;
    if (strcmp(key.state, "active") != 0)
        return sg_fail(err, SG_E_CONFLICT, "the key is not active: %s", key.state);
    return api_job_make(r, tx, "key.csr", json_pack("{s:s}", "key_id", key.key.id), &job, &location,
                        err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

bool api_csr_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_hsm_key key;
    if (!key_find(r, tx, &key, err))
        return false;
    if (key.csr.len == 0)
        return sg_fail(err, SG_E_NOT_FOUND, "the key has no certificate request yet");
    return api_reply_ok(
        r, json_pack("{s:s}", "pem", api_pem_write(r->arena, "CERTIFICATE REQUEST", key.csr)));
}
