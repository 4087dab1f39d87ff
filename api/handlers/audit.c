#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_job.h"

#include <stdlib.h>

static json_t *audit_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_audit *a = row;
    return json_pack("{s:I, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id",
                     (json_int_t)strtoll(a->key.id, NULL, 10), "at", api_json_time(a->key.at),
                     "tenant_id", api_json_text_or_null(a->tenant_id), "actor", a->actor, "address",
                     a->address, "request_id", a->request_id, "action", a->action, "object",
                     a->object, "object_id", a->object_id, "before", api_json_parse(a->before),
                     "after", api_json_parse(a->after));
}

struct audit_query {
    struct api_page_query page;
    struct sg_api_audit_filter filter;
    const char *tenant_id;
};
#define AT(member) offsetof(struct audit_query, member)
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "actor",
     .type = API_STRING,
     .offset = AT(filter.actor),
     .optional = true,
     .min = 1,
     .max = 300},
    {.name = "object",
     .type = API_STRING,
     .offset = AT(filter.object),
     .optional = true,
     .min = 1,
     .max = 64},
    {.name = "object_id",
     .type = API_STRING,
     .offset = AT(filter.object_id),
     .optional = true,
     .min = 1,
     .max = 64},
    {.name = "since", .type = API_TIME, .offset = AT(filter.since), .optional = true},
    {.name = "until", .type = API_TIME, .offset = AT(filter.until), .optional = true},
    {.name = "tenant_id",
     .type = API_STRING,
     .offset = AT(tenant_id),
     .optional = true,
     .check = api_check_tenant_id},
};
const struct api_spec api_audit_query_all = {query_fields, 8, sizeof(struct audit_query), NULL};
const struct api_spec api_audit_query = {query_fields, 7, sizeof(struct audit_query), NULL};

static bool reply(struct api_request *r, struct sg_tx *tx, const char *tenant_id,
                  struct sg_error *err)
{
    const struct audit_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_audit *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_audit_list(tx, r->arena, tenant_id, &query->filter, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, audit_json);
}

/* REQ-175: an agency sees its own log, as it is written. */
bool api_audit_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return reply(r, tx, r->tenant.key.id, err);
}

/* Of the whole platform: what belongs to no tenant, and what does. */
bool api_audit_list_all(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct audit_query *query = r->parameters;
    return reply(r, tx, query->tenant_id, err);
}
