/* What the provider states about requirements that no program can show (REQ-119, REQ-120). */
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_report.h"

#define REQUIREMENTS 200

#define AT(member) offsetof(struct sg_api_attestation, member)
static const struct api_field new_fields[] = {
    {.name = "requirement",
     .type = API_INTEGER,
     .offset = AT(requirement),
     .min = 1,
     .max = REQUIREMENTS},
    {.name = "words", .type = API_TEXT, .offset = AT(words), .min = 1, .max = 2000},
    {.name = "name", .type = API_STRING, .offset = AT(name), .min = 1, .max = 200},
    {.name = "title", .type = API_STRING, .offset = AT(title), .min = 1, .max = 200},
    {.name = "valid_until", .type = API_TIME, .offset = AT(valid_until)},
};
const struct api_spec api_attestation_new = {new_fields, 5, sizeof(struct sg_api_attestation),
                                             NULL};

struct attestation_query {
    struct api_page_query page;
    int64_t requirement;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "requirement",
     .type = API_INTEGER,
     .offset = offsetof(struct attestation_query, requirement),
     .optional = true,
     .min = 1,
     .max = REQUIREMENTS},
};
const struct api_spec api_attestation_query = {query_fields, 3, sizeof(struct attestation_query),
                                               NULL};

static json_t *attestation_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_attestation *a = row;
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "id", a->key.id,
                     "requirement", (json_int_t)a->requirement, "words", a->words, "name", a->name,
                     "title", a->title, "valid_until", api_json_time(a->valid_until), "created_at",
                     api_json_time(a->key.at), "created_by", a->created_by, "revoked_at",
                     api_json_time_or_null(a->revoked_at));
}

bool api_attestation_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_attestation attestation = *(const struct sg_api_attestation *)r->fields, made;
    attestation.created_by = r->caller.actor;
    if (attestation.valid_until <= sg_tx_now(tx))
        return api_invalid(err, "valid_until", "is in the past");
    return sg_api_attestation_insert(tx, r->arena, &attestation, &made, err) &&
           api_reply_created(r, sg_arena_printf(r->arena, "/v1/attestations/%s", made.key.id),
                             attestation_json(r->arena, &made));
}

bool api_attestation_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct attestation_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_attestation *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_attestation_list(tx, r->arena, query->requirement, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, attestation_json);
}

bool api_attestation_revoke(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_attestation_revoke(tx, api_param(r, "attestation_id"), err) && api_reply_gone(r);
}
