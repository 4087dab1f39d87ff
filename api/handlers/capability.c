/* What partners' S/MIME software can do (REQ-84): shown as it was learned, and set by hand. */
#include "schema/partner_capability.h"

#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "common/capability.h"

struct capability {
    const char *domain, *reason;
    struct api_strings capabilities;
    bool learned;
};
static const struct api_field fields[] = {
    {.name = "domain",
     .type = API_STRING,
     .offset = offsetof(struct capability, domain),
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
    {.name = "capabilities",
     .type = API_STRINGS,
     .offset = offsetof(struct capability, capabilities),
     .optional = true,
     .max = 20,
     .items_max = SG_CAPABILITY_COUNT,
     .choices = sg_capability_names},
    {.name = "learned",
     .type = API_BOOLEAN,
     .offset = offsetof(struct capability, learned),
     .optional = true},
    {.name = "reason",
     .type = API_STRING,
     .offset = offsetof(struct capability, reason),
     .optional = true,
     .max = 200,
     .initial_text = ""},
};

static bool check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct capability *body = out;
    if (body->learned == (body->capabilities.count > 0))
        return api_invalid(err, "capabilities",
                           "either name what the partner can do, or say learned to go by its mail");
    return true;
}
const struct api_spec api_capability_body = {fields, 4, sizeof(struct capability), check};

struct query {
    struct api_page_query page;
    const char *domain;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "domain",
     .type = API_STRING,
     .offset = offsetof(struct query, domain),
     .optional = true,
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
};
const struct api_spec api_capability_query = {query_fields, 3, sizeof(struct query), NULL};

static json_t *names(uint32_t capabilities)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < SG_CAPABILITY_COUNT; i++)
        if (capabilities & 1U << i)
            json_array_append_new(list, json_string(sg_capability_names[i]));
    return list;
}

static json_t *to_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_partner_capability *c = row;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:s, s:o, s:o}", "id", c->key.id, "domain", c->domain,
        "capabilities", names(sg_partner_capabilities(c)), "learned", names(c->learned),
        "signed_at", api_json_time_or_null(c->signed_at), "origin", c->origin, "by_hand",
        c->is_by_hand ? names(c->by_hand) : json_null(), "reason", c->reason, "created_at",
        api_json_time(c->key.at), "updated_at", api_json_time(c->updated_at));
}

bool api_capability_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct query *query = r->parameters;
    struct sg_api_page page;
    struct sg_partner_capability *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_capability_list(tx, r->arena, query->domain, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, to_json);
}

bool api_capability_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct capability *body = r->fields;
    struct sg_id id = sg_id_new("pcp");
    struct sg_partner_capability row = {.key = {.id = id.text},
                                        .domain = body->domain,
                                        .is_by_hand = !body->learned,
                                        .reason = body->reason};
    struct sg_partner_capability set;
    for (size_t i = 0; i < body->capabilities.count; i++)
        row.by_hand |= sg_capability_bit(body->capabilities.items[i]);
    return sg_api_capability_set(tx, r->arena, &row, &set, err) &&
           api_reply_ok(r, to_json(r->arena, &set));
}

bool api_capability_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_partner_capability row;
    return sg_api_capability_find(tx, r->arena, api_param(r, "partner_capability_id"), &row, err) &&
           api_reply_ok(r, to_json(r->arena, &row));
}

bool api_capability_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_capability_delete(tx, api_param(r, "partner_capability_id"), err) &&
           api_reply_gone(r);
}
