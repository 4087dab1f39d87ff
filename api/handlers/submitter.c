/* Who may hand in mail for a tenant (REQ-136). */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_submitter.h"

static const char *const kinds[] = {"network", "client_certificate", NULL};

struct submitter_new {
    const char *kind, *network, *fingerprint, *description;
};
static const struct api_field new_fields[] = {
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct submitter_new, kind),
     .choices = kinds},
    {.name = "network",
     .type = API_STRING,
     .offset = offsetof(struct submitter_new, network),
     .optional = true,
     .min = 1,
     .max = 64,
     .check = api_check_network},
    {.name = "fingerprint",
     .type = API_STRING,
     .offset = offsetof(struct submitter_new, fingerprint),
     .optional = true,
     .min = 1,
     .max = 128,
     .check = api_check_fingerprint},
    {.name = "description",
     .type = API_STRING,
     .offset = offsetof(struct submitter_new, description),
     .optional = true,
     .max = 200,
     .initial_text = ""},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct submitter_new *body = out;
    bool network = strcmp(body->kind, "network") == 0;
    if (network != (body->network != NULL))
        return api_invalid(err, "network", network ? "is required" : "is for kind network alone");
    if (network != (body->fingerprint == NULL))
        return api_invalid(err, "fingerprint",
                           network ? "is for kind client_certificate alone" : "is required");
    return true;
}
const struct api_spec api_submitter_new = {new_fields, 4, sizeof(struct submitter_new), new_check};

static json_t *submitter_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_submitter *s = row;
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "id", s->key.id, "tenant_id",
                     s->tenant_id, "kind", s->kind, "network", api_json_text_or_null(s->network),
                     "fingerprint", api_json_text_or_null(s->fingerprint), "description",
                     s->description, "created_at", api_json_time(s->key.at));
}

bool api_submitter_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct submitter_new *body = r->fields;
    struct sg_id id = sg_id_new("sub");
    const struct sg_api_submitter wanted = {.key = {.id = id.text},
                                            .tenant_id = r->tenant.key.id,
                                            .kind = body->kind,
                                            .network = body->network,
                                            .fingerprint = body->fingerprint,
                                            .description = body->description};
    struct sg_api_submitter made;
    if (!sg_api_submitter_insert(tx, r->arena, &wanted, &made, err))
        return body->network
                   ? api_conflict(err, "/network", "the network overlaps a submitter's already")
                   : api_conflict(err, "/fingerprint", "the certificate is a submitter's already");
    return api_reply_created(
        r, sg_arena_printf(r->arena, "/v1/tenants/%s/submitters/%s", r->tenant.key.id, id.text),
        submitter_json(r->arena, &made));
}

bool api_submitter_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_submitter *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_submitter_list(tx, r->arena, r->tenant.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, submitter_json);
}

bool api_submitter_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_submitter_delete(tx, r->tenant.key.id, api_param(r, "submitter_id"), err) &&
           api_reply_gone(r);
}
