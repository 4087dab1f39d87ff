/* Orders, compromises and revocations of a domain's certificates; tenantd carries them out. */
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_certlife.h"
#include "schema/api_job.h"

static json_t *order_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_order *o = row;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:I, s:I, s:o, s:o, s:o, s:o}", "id",
        o->key.id, "tenant_id", o->tenant_id, "domain_id", o->domain_id, "authority_id",
        o->authority_id, "reason", o->reason, "state", o->state, "cause", o->cause, "explanation",
        o->explanation, "key_id", o->key_id, "certificate_id", o->certificate_id, "attempts",
        (json_int_t)o->attempts, "polls", (json_int_t)o->polls, "next_at",
        api_json_time_or_null(o->next_at), "created_at", api_json_time(o->key.at), "updated_at",
        api_json_time(o->updated_at), "finished_at", api_json_time_or_null(o->finished_at));
}

bool api_order_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_job job;
    const char *location;
    json_t *payload = json_pack("{s:s, s:b}", "domain_id", r->domain.key.id, "request", 1);
    /* Not once: the order is, and whoever asks gets a job that says which it is. */
    return api_job_make(r, tx, "certificate.ensure", payload, &job, &location, err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

bool api_order_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_order *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_order_list(tx, r->arena, r->tenant.key.id, r->domain.key.id, &page, &rows, &count,
                             err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, order_json);
}

static bool order_find(struct api_request *r, struct sg_tx *tx, struct sg_api_order *order_r,
                       struct sg_error *err)
{
    return sg_api_order_find(tx, r->arena, r->tenant.key.id, r->domain.key.id,
                             api_param(r, "order_id"), order_r, err);
}

bool api_order_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_order order;
    return order_find(r, tx, &order, err) && api_reply_ok(r, order_json(r->arena, &order));
}

bool api_order_cancel(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_order order;
    bool cancelled;
    if (!order_find(r, tx, &order, err) ||
        !sg_api_order_cancel(tx, r->arena, r->tenant.key.id, r->domain.key.id, order.key.id,
                             "cancelled", &cancelled, err))
        return false;
    if (!cancelled)
        return sg_fail(err, SG_E_CONFLICT, "the order is %s already", order.state);
    return api_order_get(r, tx, err);
}

struct compromise_new {
    const char *reason;
};
static const struct api_field compromise_fields[] = {
    {.name = "reason",
     .type = API_STRING,
     .offset = offsetof(struct compromise_new, reason),
     .min = 1,
     .max = 500},
};
const struct api_spec api_compromise_new = {compromise_fields, 1, sizeof(struct compromise_new),
                                            NULL};

static json_t *compromise_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_compromise *c = row;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:o, s:o}",
        "id", c->key.id, "tenant_id", c->tenant_id, "domain_id", c->domain_id, "reason", c->reason,
        "state", c->state, "waits_for", c->waits_for, "order_id", c->order_id, "certificate_id",
        c->certificate_id, "created_at", api_json_time(c->key.at), "ordered_at",
        api_json_time_or_null(c->ordered_at), "installed_at",
        api_json_time_or_null(c->installed_at), "released_at",
        api_json_time_or_null(c->released_at), "revoked_at", api_json_time_or_null(c->revoked_at),
        "published_at", api_json_time_or_null(c->published_at), "listed_at",
        api_json_time_or_null(c->listed_at), "removed_at", api_json_time_or_null(c->removed_at),
        "finished_at", api_json_time_or_null(c->finished_at), "updated_at",
        api_json_time(c->updated_at));
}

static bool compromise_find(struct api_request *r, struct sg_tx *tx, const char *id,
                            struct sg_api_compromise *row_r, struct sg_error *err)
{
    return sg_api_compromise_find(tx, r->arena, r->tenant.key.id, r->domain.key.id, id, row_r, err);
}

bool api_compromise_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct compromise_new *body = r->fields;
    struct sg_api_compromise row;
    const char *id, *state = r->domain.state;
    /* A breach is reported with the domain's name: a mere claim is nobody's word for it. */
    if (strcmp(state, "pending") == 0 || strcmp(state, "failed") == 0)
        return sg_fail(err, SG_E_CONFLICT, "the domain is %s: it never had a key in service",
                       state);
    return sg_api_compromise_begin(tx, r->arena, r->tenant.key.id, r->domain.key.id, body->reason,
                                   &id, err) &&
           compromise_find(r, tx, id, &row, err) &&
           api_reply_accepted(r,
                              sg_arena_printf(r->arena, "/v1/tenants/%s/domains/%s/compromises/%s",
                                              r->tenant.key.id, r->domain.key.id, id),
                              compromise_json(r->arena, &row));
}

bool api_compromise_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_compromise *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_compromise_list(tx, r->arena, r->tenant.key.id, r->domain.key.id, &page, &rows,
                                  &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, compromise_json);
}

bool api_compromise_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_compromise row;
    return compromise_find(r, tx, api_param(r, "compromise_id"), &row, err) &&
           api_reply_ok(r, compromise_json(r->arena, &row));
}

static const char *const reasons[] = {"cessationOfOperation", "superseded", "affiliationChanged",
                                      "unspecified", NULL};
struct revocation_new {
    const char *reason;
};
static const struct api_field revocation_fields[] = {
    {.name = "reason",
     .type = API_STRING,
     .offset = offsetof(struct revocation_new, reason),
     .choices = reasons},
};
const struct api_spec api_revocation_new = {revocation_fields, 1, sizeof(struct revocation_new),
                                            NULL};

static json_t *revocation_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_revocation *v = row;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id", v->key.id,
        "tenant_id", v->tenant_id, "domain_id", v->domain_id, "certificate_id", v->certificate_id,
        "compromise_id", v->compromise_id, "reason", v->reason, "state", v->state, "explanation",
        v->explanation, "requested_at", api_json_time_or_null(v->requested_at), "listed_at",
        api_json_time_or_null(v->listed_at), "removed_at", api_json_time_or_null(v->removed_at),
        "created_at", api_json_time(v->key.at), "updated_at", api_json_time(v->updated_at));
}

static bool revocation_find(struct api_request *r, struct sg_tx *tx, const char *id,
                            struct sg_api_revocation *row_r, struct sg_error *err)
{
    return sg_api_revocation_find(tx, r->arena, r->tenant.key.id, r->domain.key.id, id, row_r, err);
}

bool api_revocation_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct revocation_new *body = r->fields;
    struct sg_api_revocation row;
    const char *id;
    return sg_api_revocation_begin(tx, r->arena, r->tenant.key.id, r->domain.key.id,
                                   api_param(r, "certificate_id"), body->reason, &id, err) &&
           revocation_find(r, tx, id, &row, err) &&
           api_reply_accepted(r,
                              sg_arena_printf(r->arena, "/v1/tenants/%s/domains/%s/revocations/%s",
                                              r->tenant.key.id, r->domain.key.id, id),
                              revocation_json(r->arena, &row));
}

bool api_revocation_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_revocation *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_revocation_list(tx, r->arena, r->tenant.key.id, r->domain.key.id, &page, &rows,
                                  &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, revocation_json);
}

bool api_revocation_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_revocation row;
    return revocation_find(r, tx, api_param(r, "revocation_id"), &row, err) &&
           api_reply_ok(r, revocation_json(r->arena, &row));
}
