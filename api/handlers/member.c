/* Member domains: to them mail must be sealed (of the whole platform). */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_platform.h"

struct member_new {
    const char *name, *environment;
};
static const struct api_field new_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct member_new, name),
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
    {.name = "environment",
     .type = API_STRING,
     .offset = offsetof(struct member_new, environment),
     .choices = api_environments},
};
const struct api_spec api_member_new = {new_fields, 2, sizeof(struct member_new), NULL};

static const char *const list_environments[] = {"seemail",      "securemail",      "workspace",
                                                "seemail-test", "securemail-test", NULL};
static const char *const sources[] = {"manual", "directory", NULL};

struct member_query {
    struct api_page_query page;
    struct sg_api_member_filter filter;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct member_query, filter.name),
     .optional = true,
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
    {.name = "environment",
     .type = API_STRING,
     .offset = offsetof(struct member_query, filter.environment),
     .optional = true,
     .choices = list_environments},
    {.name = "source",
     .type = API_STRING,
     .offset = offsetof(struct member_query, filter.source),
     .optional = true,
     .choices = sources},
};
const struct api_spec api_member_query = {query_fields, 5, sizeof(struct member_query), NULL};

static json_t *member_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_member *m = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", m->key.id, "name", m->name, "environment",
                     m->environment, "source", m->source, "created_at", api_json_time(m->key.at));
}

bool api_member_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct member_new *body = r->fields;
    struct sg_id id = sg_id_new("mem");
    const struct sg_api_member wanted = {
        .key = {.id = id.text}, .name = body->name, .environment = body->environment};
    struct sg_api_member made;
    if (!sg_api_member_insert(tx, r->arena, &wanted, &made, err))
        return api_conflict(err, "/name", "this domain is a member already");
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/member-domains/%s", id.text),
                             member_json(r->arena, &made));
}

bool api_member_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct member_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_member *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_member_list(tx, r->arena, &query->filter, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, member_json);
}

bool api_member_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const char *id = api_param(r, "member_id");
    struct sg_api_member member;
    if (!sg_api_member_find(tx, r->arena, id, &member, err))
        return false;
    if (strcmp(member.source, "directory") == 0)
        return sg_fail(err, SG_E_CONFLICT,
                       "this member stands in the directory's list, and leaves with it");
    return sg_api_member_delete(tx, id, err) && api_reply_gone(r);
}
