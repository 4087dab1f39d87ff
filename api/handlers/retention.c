/* How long what is kept (REQ-117, 133), legal holds, what would be deleted, what was. */
#include "schema/retention.h"
#include "api/handlers.h"
#include "api/render.h"

#define MONTHS_MOST 1200

static const char *const classes[] = {"messages", "trace", "held", "notices",
                                      "archive",  "audit", NULL};

struct policy_body {
    const char *class;
    int64_t months, floor_months, ceiling_months;
};
#define CLASS                                                                                      \
    {                                                                                              \
        .name = "class", .type = API_STRING, .offset = offsetof(struct policy_body, class),        \
        .choices = classes                                                                         \
    }
#define MONTHS(field, least)                                                                       \
    {                                                                                              \
        .name = #field, .type = API_INTEGER, .offset = offsetof(struct policy_body, field),        \
        .min = (least), .max = MONTHS_MOST                                                         \
    }
static const struct api_field class_fields[] = {CLASS, MONTHS(months, 1), MONTHS(floor_months, 1),
                                                MONTHS(ceiling_months, 1)};

static bool limits_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct policy_body *b = out;
    if (b->floor_months > b->ceiling_months)
        return api_invalid(err, "floor_months", "is above ceiling_months");
    return (b->months >= b->floor_months && b->months <= b->ceiling_months) ||
           api_invalid(err, "months", "is not between floor_months and ceiling_months");
}
const struct api_spec api_retention_class_body = {class_fields, 4, sizeof(struct policy_body),
                                                  limits_check};
/* Of a tenant: 0 months are the platform's again. */
static const struct api_field policy_fields[] = {CLASS, MONTHS(months, 0)};
const struct api_spec api_retention_policy_body = {policy_fields, 2, sizeof(struct policy_body),
                                                   NULL};

static bool policies_reply(struct api_request *r, struct sg_tx *tx, const char *tenant_id,
                           struct sg_error *err)
{
    struct sg_api_retention *rows;
    size_t count;
    if (!sg_api_retention_list(tx, r->arena, tenant_id, &rows, &count, err))
        return false;
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I}", "class", rows[i].class, "about",
                              rows[i].about, "months", (json_int_t)rows[i].effective_months,
                              "floor_months", (json_int_t)rows[i].floor_months, "ceiling_months",
                              (json_int_t)rows[i].ceiling_months);
        json_object_set_new(o, "own", json_boolean(rows[i].own));
        json_array_append_new(all, o);
    }
    return api_reply_ok(r, json_pack("{s:o}", "data", all));
}

bool api_retention_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return policies_reply(r, tx, NULL, err);
}

bool api_retention_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct policy_body *body = r->fields;
    const struct sg_api_retention row = {.class = body->class,
                                         .months = body->months,
                                         .floor_months = body->floor_months,
                                         .ceiling_months = body->ceiling_months};
    return sg_api_retention_set(tx, &row, err) && policies_reply(r, tx, NULL, err);
}

bool api_retention_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return policies_reply(r, tx, r->tenant.key.id, err);
}

bool api_retention_policy_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct policy_body *body = r->fields;
    if (sg_api_retention_policy_set(tx, r->tenant.key.id, body->class, body->months, err))
        return policies_reply(r, tx, r->tenant.key.id, err);
    if (err->code == SG_E_INVALID)
        api_invalid(err, "months", "is beyond the limits of its class");
    return false;
}

static json_t *hold_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_legal_hold *h = row;
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o}", "id", h->key.id, "tenant_id",
                     h->tenant_id, "words", h->words, "created_at", api_json_time(h->key.at),
                     "created_by", h->created_by, "lifted_at", api_json_time_or_null(h->lifted_at),
                     "lifted_by", api_json_text_or_null(h->lifted_by));
}

bool api_legal_hold_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_legal_hold *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_legal_hold_list(tx, r->arena, r->tenant.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, hold_json);
}

bool api_legal_hold_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct api_words_body *body = r->fields;
    struct sg_api_legal_hold hold;
    const char *tenant = r->tenant.key.id;
    return sg_api_legal_hold_insert(tx, r->arena, tenant, body->words, &hold, err) &&
           api_reply_created(
               r, sg_arena_printf(r->arena, "/v1/tenants/%s/legal-holds/%s", tenant, hold.key.id),
               hold_json(r->arena, &hold));
}

bool api_legal_hold_lift(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_legal_hold_lift(tx, r->tenant.key.id, api_param(r, "hold_id"), err) &&
           api_reply_gone(r);
}

/* The dry run. */
bool api_disposal_preview(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_disposal_due *rows;
    size_t count;
    if (!sg_disposal_preview(tx, r->arena, NULL, 0, &rows, &count, err))
        return false;
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            all, json_pack("{s:s, s:s, s:o, s:o, s:I, s:o}", "class", rows[i].class, "relation",
                           rows[i].relation, "tenant_id", api_json_text_or_null(rows[i].tenant_id),
                           "cutoff", api_json_time(rows[i].cutoff), "rows",
                           (json_int_t)rows[i].rows, "oldest", api_json_time(rows[i].oldest)));
    return api_reply_ok(r, json_pack("{s:o}", "data", all));
}

struct disposal_query {
    struct api_page_query page;
    const char *class;
};
static const struct api_field disposal_fields[] = {
    API_PAGE_FIELDS,
    {.name = "class",
     .type = API_STRING,
     .offset = offsetof(struct disposal_query, class),
     .optional = true,
     .choices = classes},
};
const struct api_spec api_disposal_query = {disposal_fields, 3, sizeof(struct disposal_query),
                                            NULL};

static json_t *disposal_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_disposal *d = row;
    return json_pack("{s:s, s:o, s:s, s:o, s:s, s:s, s:I, s:o, s:o, s:o, s:s, s:s}", "id",
                     d->key.id, "at", api_json_time(d->key.at), "class", d->class, "tenant_id",
                     api_json_text_or_null(d->tenant_id), "method", d->method, "relation",
                     d->relation, "rows", (json_int_t)d->rows, "oldest", api_json_time(d->oldest),
                     "newest", api_json_time(d->newest), "cutoff", api_json_time(d->cutoff),
                     "policy", d->policy, "actor", d->actor);
}

bool api_disposal_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct disposal_query *query = r->parameters;
    const char *tenant = api_param(r, "tenant_id");
    struct sg_api_page page;
    struct sg_api_disposal *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_disposal_list(tx, r->arena, *tenant ? tenant : NULL, query->class, &page, &rows,
                                &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, disposal_json);
}
