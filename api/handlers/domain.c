#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"

struct domain_new {
    const char *name, *environment;
    bool attested;
};
static const struct api_field new_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct domain_new, name),
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
    {.name = "environment",
     .type = API_STRING,
     .offset = offsetof(struct domain_new, environment),
     .choices = api_environments},
    {.name = "attested", .type = API_BOOLEAN, .offset = offsetof(struct domain_new, attested)},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct domain_new *body = out;
    return body->attested ||
           api_invalid(err, "attested",
                       "must be true: the provider makes sure that the domain is the tenant's");
}
const struct api_spec api_domain_new = {new_fields, 3, sizeof(struct domain_new), new_check};

struct domain_query {
    struct api_page_query page;
    const char *name;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct domain_query, name),
     .optional = true,
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
};
const struct api_spec api_domain_query = {query_fields, 3, sizeof(struct domain_query), NULL};

static json_t *domain_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_domain *d = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", d->key.id, "tenant_id",
                     d->tenant_id, "name", d->name, "environment", d->environment, "state",
                     d->state, "created_at", api_json_time(d->key.at), "updated_at",
                     api_json_time(d->updated_at));
}

bool api_domain_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct domain_new *body = r->fields;
    struct sg_api_domain domain;
    struct sg_id id = sg_id_new("dom");
    if (r->caller.tenant_id)
        return sg_fail(err, SG_E_FORBIDDEN, "only the provider attests a domain");
    if (!sg_api_domain_insert(tx, r->arena, id.text, r->tenant.key.id, body->name,
                              body->environment, &domain, err))
        return api_conflict(err, "/name", "the domain is on this platform already");
    return api_reply_created(
        r, sg_arena_printf(r->arena, "/v1/tenants/%s/domains/%s", r->tenant.key.id, id.text),
        domain_json(r->arena, &domain));
}

bool api_domain_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct domain_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_domain *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_domain_list(tx, r->arena, r->tenant.key.id, query->name, &page, &rows, &count,
                              err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, domain_json);
}

bool api_domain_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    (void)tx;
    (void)err;
    return api_reply_ok(r, domain_json(r->arena, &r->domain));
}
