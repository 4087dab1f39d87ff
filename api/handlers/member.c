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

static json_t *member_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_member *m = row;
    return json_pack("{s:s, s:s, s:s, s:o}", "id", m->key.id, "name", m->name, "environment",
                     m->environment, "created_at", api_json_time(m->key.at));
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
    struct sg_api_page page;
    struct sg_api_member *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_member_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, member_json);
}

bool api_member_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_member_delete(tx, api_param(r, "member_id"), err) && api_reply_gone(r);
}
