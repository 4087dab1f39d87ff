/* Certificates are checked and installed by tenantd: here they are only parsed. */
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"
#include "schema/api_job.h"
#include "schema/api_key.h"

#define CHAIN_MAX 8 /* certificates, the leaf included */

struct certificate_new {
    const char *pem;
    struct api_certificates chain; /* of pem */
};
static const struct api_field new_fields[] = {
    {.name = "pem",
     .type = API_TEXT,
     .offset = offsetof(struct certificate_new, pem),
     .min = 1,
     .max = API_PEM_CHARS_MAX},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    struct certificate_new *body = out;
    struct sg_error why;
    return api_pem_read(arena, body->pem, CHAIN_MAX, &body->chain, &why) ||
           api_invalid(err, "pem", "%.199s", why.detail);
}
const struct api_spec api_certificate_new = {new_fields, 1, sizeof(struct certificate_new),
                                             new_check};

static json_t *certificate_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_certificate *c = row;
    const char *pem = api_pem_write(arena, "CERTIFICATE", c->der);
    for (size_t i = 0; i < c->chain_count; i++)
        pem = sg_arena_printf(arena, "%s%s", pem, api_pem_write(arena, "CERTIFICATE", c->chain[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:s?, s:o, s:s, s:o, s:s, s:o, "
        "s:o}",
        "id", c->key.id, "tenant_id", c->tenant_id, "domain_id", c->domain_id, "key_id", c->key_id,
        "state", c->state, "sha256", api_json_hex_or_null(arena, c->sha256), "subject", c->subject,
        "issuer", c->issuer, "serial", c->serial, "not_before", api_json_time(c->not_before),
        "not_after", api_json_time(c->not_after), "authority_id", c->authority_id, "renew_at",
        api_json_time_or_null(c->renew_at), "published", c->published, "published_at",
        api_json_time_or_null(c->published_at), "pem", pem, "created_at", api_json_time(c->key.at),
        "updated_at", api_json_time(c->updated_at));
}

bool api_certificate_install(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct certificate_new *body = r->fields;
    struct sg_api_job job;
    const char *location;
    json_t *chain = json_array();
    for (size_t i = 0; i < body->chain.count; i++)
        json_array_append_new(chain, json_string(api_base64(r->arena, body->chain.items[i].der)));
    json_t *payload = json_pack("{s:s, s:o}", "domain_id", r->domain.key.id, "certificates", chain);
    return api_job_make(r, tx, "certificate.install", payload, &job, &location, err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

bool api_certificate_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_certificate *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_certificate_list(tx, r->arena, r->tenant.key.id, r->domain.key.id, &page, &rows,
                                   &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, certificate_json);
}

bool api_certificate_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_certificate certificate;
    return sg_api_certificate_find(tx, r->arena, r->tenant.key.id, r->domain.key.id,
                                   api_param(r, "certificate_id"), &certificate, err) &&
           api_reply_ok(r, certificate_json(r->arena, &certificate));
}
