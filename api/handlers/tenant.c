#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"

struct tenant_new {
    const char *name;
};
static const struct api_field new_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct tenant_new, name),
     .min = 1,
     .max = 200,
     .check = api_check_name},
};
const struct api_spec api_tenant_new = {new_fields, 1, sizeof(struct tenant_new), NULL};

static json_t *tenant_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_tenant *t = row;
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", t->key.id, "name", t->name, "state",
                     t->state, "created_at", api_json_time(t->key.at), "updated_at",
                     api_json_time(t->updated_at));
}

bool api_tenant_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct tenant_new *body = r->fields;
    struct sg_api_tenant tenant;
    struct sg_id id = sg_id_new("ten");
    return sg_api_tenant_insert(tx, r->arena, id.text, body->name, &tenant, err) &&
           api_reply_created(r, sg_arena_printf(r->arena, "/v1/tenants/%s", id.text),
                             tenant_json(r->arena, &tenant));
}

bool api_tenant_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_tenant *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_tenant_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, tenant_json);
}

bool api_tenant_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    (void)tx;
    (void)err;
    return api_reply_ok(r, tenant_json(r->arena, &r->tenant));
}
