/* Tenants and their life: suspension and cancellation (REQ-142). What else ends with a tenant is
 * tenantd's work (tenantd/lifecycle). */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_job.h"

#define DAY                 (86400 * SG_SECOND)
#define NOTICE_DAYS_MAX     730
#define NOTICE_DAYS_INITIAL 30

static const char *const states[] = {"pending", "active", "suspended", "closed", NULL};

#define EXTERNAL_REF(type_)                                                                        \
    {                                                                                              \
        .name = "external_ref", .type = API_STRING, .offset = offsetof(type_, external_ref),       \
        .optional = true, .min = 1, .max = 100, .check = api_check_name                            \
    }

struct tenant_new {
    const char *name, *external_ref;
};
static const struct api_field new_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct tenant_new, name),
     .min = 1,
     .max = 200,
     .check = api_check_name},
    EXTERNAL_REF(struct tenant_new),
};
const struct api_spec api_tenant_new = {new_fields, 2, sizeof(struct tenant_new), NULL};

/* An empty external_ref takes it away. */
static const struct api_field change_fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct tenant_new, name),
     .optional = true,
     .min = 1,
     .max = 200,
     .check = api_check_name},
    {.name = "external_ref",
     .type = API_STRING,
     .offset = offsetof(struct tenant_new, external_ref),
     .optional = true,
     .max = 100},
};
const struct api_spec api_tenant_change = {change_fields, 2, sizeof(struct tenant_new), NULL};

struct tenant_query {
    struct api_page_query page;
    const char *name, *state, *external_ref;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct tenant_query, name),
     .optional = true,
     .min = 1,
     .max = 200},
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct tenant_query, state),
     .optional = true,
     .choices = states},
    EXTERNAL_REF(struct tenant_query),
};
const struct api_spec api_tenant_query = {query_fields, 5, sizeof(struct tenant_query), NULL};

struct reason {
    const char *reason;
    int64_t notice_days;
};
static const struct api_field reason_fields[] = {
    {.name = "reason",
     .type = API_STRING,
     .offset = offsetof(struct reason, reason),
     .min = 1,
     .max = 500,
     .check = api_check_name},
    {.name = "notice_days",
     .type = API_INTEGER,
     .offset = offsetof(struct reason, notice_days),
     .optional = true,
     .max = NOTICE_DAYS_MAX,
     .initial = NOTICE_DAYS_INITIAL},
};
const struct api_spec api_reason = {reason_fields, 1, sizeof(struct reason), NULL};
const struct api_spec api_cancellation = {reason_fields, 2, sizeof(struct reason), NULL};

static json_t *tenant_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_tenant *t = row;
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "id", t->key.id, "name", t->name,
        "state", t->state, "external_ref", api_json_text_or_null(t->external_ref), "state_reason",
        t->state_reason, "cancelled_at", api_json_time_or_null(t->cancelled_at), "ends_at",
        api_json_time_or_null(t->ends_at), "closed_at", api_json_time_or_null(t->closed_at),
        "created_at", api_json_time(t->key.at), "updated_at", api_json_time(t->updated_at));
}

bool api_tenant_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct tenant_new *body = r->fields;
    struct sg_api_tenant tenant;
    struct sg_id id = sg_id_new("ten");
    if (!sg_api_tenant_insert(tx, r->arena, id.text, body->name, body->external_ref, &tenant, err))
        return api_conflict(err, "/external_ref", "another tenant has it");
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/tenants/%s", id.text),
                             tenant_json(r->arena, &tenant));
}

bool api_tenant_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct tenant_query *query = r->parameters;
    const struct sg_api_tenant_filter filter = {query->name, query->state, query->external_ref};
    struct sg_api_page page;
    struct sg_api_tenant *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_tenant_list(tx, r->arena, &filter, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, tenant_json);
}

bool api_tenant_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    (void)tx;
    (void)err;
    return api_reply_ok(r, tenant_json(r->arena, &r->tenant));
}

bool api_tenant_patch(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct tenant_new *body = r->fields;
    struct sg_api_tenant tenant;
    const char *ref = body->external_ref && *body->external_ref ? body->external_ref : NULL;
    if (!sg_api_tenant_update(tx, r->arena, r->tenant.key.id, body->name,
                              body->external_ref != NULL, ref, &tenant, err))
        return api_conflict(err, "/external_ref", "another tenant has it");
    return api_reply_ok(r, tenant_json(r->arena, &tenant));
}

/* Both edges answer 4xx from now on (REQ-142): nothing is lost should it be lifted soon. */
bool api_tenant_suspend(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct reason *body = r->fields;
    struct sg_api_tenant tenant;
    return sg_api_tenant_state_set(tx, r->arena, r->tenant.key.id, "active", "suspended",
                                   body->reason, &tenant, err) &&
           api_reply_ok(r, tenant_json(r->arena, &tenant));
}

bool api_tenant_resume(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_tenant tenant;
    return sg_api_tenant_state_set(tx, r->arena, r->tenant.key.id, "suspended", "active", "",
                                   &tenant, err) &&
           api_reply_ok(r, tenant_json(r->arena, &tenant));
}

/* At once (0 days, for abuse) it is tenantd's next job; else when the notice period is over. */
bool api_tenant_cancel(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct reason *body = r->fields;
    struct sg_api_tenant tenant;
    struct sg_api_job job;
    const char *location;
    sg_time ends_at = sg_tx_now(tx) + body->notice_days * DAY;
    if (!sg_api_tenant_cancel(tx, r->arena, r->tenant.key.id, body->reason, ends_at, &tenant, err))
        return false;
    if (body->notice_days == 0 &&
        !api_job_make(r, tx, "tenant.close", json_pack("{s:s}", "tenant_id", r->tenant.key.id),
                      &job, &location, err))
        return false;
    return api_reply_ok(r, tenant_json(r->arena, &tenant));
}

bool api_tenant_cancel_withdraw(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_tenant tenant;
    return sg_api_tenant_cancel_withdraw(tx, r->arena, r->tenant.key.id, &tenant, err) &&
           api_reply_ok(r, tenant_json(r->arena, &tenant));
}
