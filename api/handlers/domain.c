#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_ownership.h"

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
     .check = api_check_domain},
    {.name = "environment",
     .type = API_STRING,
     .offset = offsetof(struct domain_new, environment),
     .choices = api_environments},
    {.name = "attested",
     .type = API_BOOLEAN,
     .offset = offsetof(struct domain_new, attested),
     .optional = true},
};

const struct api_spec api_domain_new = {new_fields, 3, sizeof(struct domain_new), NULL};

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

json_t *api_domain_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_domain *d = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", d->key.id, "tenant_id",
                     d->tenant_id, "name", d->name, "environment", d->environment, "state",
                     d->state, "created_at", api_json_time(d->key.at), "updated_at",
                     api_json_time(d->updated_at));
}

bool api_domain_may_attest(const struct api_request *r, struct sg_error *err)
{
    return strcmp(r->caller.role, "provider-admin") == 0 ||
           sg_fail(err, SG_E_FORBIDDEN,
                   "only the role provider-admin attests a domain; without attested its owner "
                   "proves it in the DNS");
}

bool api_domain_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct domain_new *body = r->fields;
    struct sg_api_domain domain;
    struct sg_id id = sg_id_new("dom");
    if (body->attested && !api_domain_may_attest(r, err))
        return false;
    if (!sg_api_domain_insert(tx, r->arena, id.text, r->tenant.key.id, body->name,
                              body->environment, body->attested, &domain, err))
        return api_conflict(err, "/name",
                            body->attested ? "the domain is on this platform already"
                                           : "the tenant has this domain already");
    return api_reply_created(
        r, sg_arena_printf(r->arena, "/v1/tenants/%s/domains/%s", r->tenant.key.id, id.text),
        api_domain_json(r->arena, &domain));
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
           api_reply_list(r, &page, rows, count, sizeof *rows, api_domain_json);
}

bool api_domain_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    (void)tx;
    (void)err;
    return api_reply_ok(r, api_domain_json(r->arena, &r->domain));
}

/* A claim that came to nothing; what was ever owned is revoked. */
bool api_domain_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    if (sg_api_domain_delete(tx, r->arena, r->domain.key.id, err))
        return api_reply_gone(r);
    return err->code == SG_E_INVALID
               ? sg_fail(err, SG_E_CONFLICT,
                         "something is kept of the domain, as its policy: it is revoked instead")
               : false;
}

bool api_domain_revoke(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_domain domain;
    return sg_api_domain_revoke(tx, r->arena, r->domain.key.id, err) &&
           sg_api_domain_find(tx, r->arena, r->tenant.key.id, r->domain.key.id, &domain, err) &&
           api_reply_ok(r, api_domain_json(r->arena, &domain));
}
