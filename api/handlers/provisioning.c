/*
 * A whole order in one transaction: a tenant, its domains with their next hops, its submitters, its
 * contacts.
 * Each part is made by the handler that makes it alone, so that the same rules hold; what is at
 * fault is named by its place in the order ("/domains/1/name"), and then nothing of it is made.
 */
#include "api/allow.h"
#include "api/handlers.h"
#include "api/render.h"

#include <stdio.h>

#define DOMAINS_MAX    50
#define SUBMITTERS_MAX 50
#define CONTACTS_MAX   20

struct order_domain {
    void *domain, *next_hop; /* of api_domain_new, api_next_hop_body; next_hop may be NULL */
};
static const struct api_field domain_fields[] = {
    {.type = API_INLINE,
     .offset = offsetof(struct order_domain, domain),
     .object = &api_domain_new},
    {.name = "next_hop",
     .type = API_OBJECT,
     .offset = offsetof(struct order_domain, next_hop),
     .optional = true,
     .object = &api_next_hop_body},
};
static const struct api_spec domain_spec = {domain_fields, 2, sizeof(struct order_domain), NULL};

struct order {
    struct api_objects domains, submitters, contacts;
    void *tenant; /* of api_tenant_new; NULL: for a tenant that is there */
};
static const struct api_field order_fields[] = {
    {.name = "domains",
     .type = API_OBJECTS,
     .offset = offsetof(struct order, domains),
     .optional = true,
     .items_max = DOMAINS_MAX,
     .object = &domain_spec},
    {.name = "submitters",
     .type = API_OBJECTS,
     .offset = offsetof(struct order, submitters),
     .optional = true,
     .items_max = SUBMITTERS_MAX,
     .object = &api_submitter_new},
    {.name = "contacts",
     .type = API_OBJECTS,
     .offset = offsetof(struct order, contacts),
     .optional = true,
     .items_max = CONTACTS_MAX,
     .object = &api_contact_body},
    {.name = "tenant",
     .type = API_OBJECT,
     .offset = offsetof(struct order, tenant),
     .object = &api_tenant_new},
};
const struct api_spec api_order = {order_fields, 4, sizeof(struct order), NULL};
const struct api_spec api_order_more = {order_fields, 3, sizeof(struct order), NULL};

typedef bool (*part_handler)(struct api_request *, struct sg_tx *, struct sg_error *);

/* The request of the parts, made of the whole one. */
struct parts {
    struct api_request request;
    struct sg_tx *tx;
};

static void param_set(struct api_request *r, const char *name, const char *value)
{
    size_t i = 0;
    while (i < r->params.count && strcmp(r->params.items[i].name, name) != 0)
        i++;
    if (i == r->params.count)
        r->params.count++;
    r->params.items[i].name = name;
    r->params.items[i].value = value;
}

/* The id in what a part has replied. */
static const char *id_of(const struct parts *p, const json_t *made)
{
    return sg_arena_strdup(p->request.arena, json_string_value(json_object_get(made, "id")));
}

/* One part by its handler: what it would have replied, or its error with the part's place in front.
 */
static bool make(struct parts *p, enum sg_scope scope, part_handler handler, void *fields,
                 const char *place, json_t **made_r, struct sg_error *err)
{
    const struct api_access access = {API_NEED_WRITE, scope};
    struct sg_error why = {0};
    struct api_request *r = &p->request;
    r->fields = fields;
    r->reply = (struct api_reply){0};
    if (api_allow(&r->caller, &access, api_param(r, "tenant_id"), &why) &&
        handler(r, p->tx, &why)) {
        *made_r = r->reply.body;
        return true;
    }
    json_decref(r->reply.body);
    *err = why;
    snprintf(err->field, sizeof err->field, "%.40s%.23s", place,
             why.field[0] == '/' ? why.field : "");
    return false;
}

static bool domain_make(struct parts *p, const struct order_domain *item, const char *place,
                        json_t **made_r, struct sg_error *err)
{
    struct api_request *r = &p->request;
    json_t *domain, *hop = NULL;
    if (!make(p, SG_SCOPE_domains, api_domain_create, item->domain, place, &domain, err))
        return false;
    const char *id = id_of(p, domain);
    param_set(r, "domain_id", id);
    bool ok = sg_api_domain_find(p->tx, r->arena, r->tenant.key.id, id, &r->domain, err) &&
              (!item->next_hop || make(p, SG_SCOPE_next_hops, api_next_hop_set, item->next_hop,
                                       sg_arena_printf(r->arena, "%s/next_hop", place), &hop, err));
    *made_r = json_pack("{s:o, s:o}", "domain", domain, "next_hop", hop ? hop : json_null());
    return ok;
}

static bool domains_make(struct parts *p, const struct order *order, json_t *made,
                         struct sg_error *err)
{
    const struct order_domain *items = order->domains.items;
    for (size_t i = 0; i < order->domains.count; i++) {
        json_t *one = NULL;
        bool ok = domain_make(p, &items[i], sg_arena_printf(p->request.arena, "/domains/%zu", i),
                              &one, err);
        if (one)
            json_array_append_new(made, one);
        if (!ok)
            return false;
    }
    return true;
}

/* A list of parts that one handler makes, each by itself. */
static bool list_make(struct parts *p, const char *name, enum sg_scope scope, part_handler handler,
                      const struct api_objects *list, size_t size, json_t *made,
                      struct sg_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *place = sg_arena_printf(p->request.arena, "/%s/%zu", name, i);
        json_t *one;
        if (!make(p, scope, handler, (char *)list->items + i * size, place, &one, err))
            return false;
        json_array_append_new(made, one);
    }
    return true;
}

/* The parts of a tenant that is there, and the reply; tenant is taken over. */
static bool parts_make(struct api_request *r, struct parts *p, json_t *tenant, struct sg_error *err)
{
    const struct order *order = r->fields;
    json_t *domains = json_array(), *submitters = json_array(), *contacts = json_array();
    json_t *all = json_pack("{s:o, s:o, s:o, s:o}", "tenant", tenant, "domains", domains,
                            "submitters", submitters, "contacts", contacts);
    if (domains_make(p, order, domains, err) &&
        list_make(p, "submitters", SG_SCOPE_submitters, api_submitter_create, &order->submitters,
                  api_submitter_new.size, submitters, err) &&
        list_make(p, "contacts", SG_SCOPE_contacts, api_contact_create, &order->contacts,
                  api_contact_body.size, contacts, err))
        return api_reply_created(
            r, sg_arena_printf(r->arena, "/v1/tenants/%s", p->request.tenant.key.id), all);
    json_decref(all);
    return false;
}

bool api_provision(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct order *order = r->fields;
    struct parts parts = {*r, tx};
    json_t *tenant;
    if (!make(&parts, SG_SCOPE_tenants, api_tenant_create, order->tenant, "/tenant", &tenant, err))
        return false;
    const char *id = id_of(&parts, tenant);
    param_set(&parts.request, "tenant_id", id);
    if (!sg_api_tenant_find(tx, r->arena, id, &parts.request.tenant, err)) {
        json_decref(tenant);
        return false;
    }
    return parts_make(r, &parts, tenant, err);
}

bool api_provision_more(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct parts parts = {*r, tx};
    parts.request.reply = (struct api_reply){0};
    return api_tenant_get(&parts.request, tx, err) &&
           parts_make(r, &parts, parts.request.reply.body, err);
}
