/* Held mail (REQ-56) and what is in quarantine (REQ-110), which goes on only when it is released:
 * gatewayd is woken by the change of a row. */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_held.h"
#include "schema/api_job.h"
#include "schema/retention.h"

static const char *const states[] = {"held", "sent", "deleted", "expired", NULL};
static const char *const waiting[] = {"administrator", "next_try", NULL};

static bool check_domain_id(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "dom") ||
           sg_fail(err, SG_E_INVALID, "must be the id of a domain (dom_…)");
}

/* What a list shows and what a bulk job is about, by the same filters. */
#define FILTER_FIELDS(type_)                                                                       \
    {.name = "domain_id",                                                                          \
     .type = API_STRING,                                                                           \
     .offset = offsetof(type_, domain_id),                                                         \
     .optional = true,                                                                             \
     .check = check_domain_id},                                                                    \
        {.name = "recipient_domain",                                                               \
         .type = API_STRING,                                                                       \
         .offset = offsetof(type_, recipient_domain),                                              \
         .optional = true,                                                                         \
         .min = 3,                                                                                 \
         .max = 253,                                                                               \
         .check = api_check_dns_name},                                                             \
        {.name = "sender",                                                                         \
         .type = API_STRING,                                                                       \
         .offset = offsetof(type_, sender),                                                        \
         .optional = true,                                                                         \
         .min = 1,                                                                                 \
         .max = 512,                                                                               \
         .check = api_check_address},                                                              \
        {.name = "reason",                                                                         \
         .type = API_STRING,                                                                       \
         .offset = offsetof(type_, reason),                                                        \
         .optional = true,                                                                         \
         .min = 3,                                                                                 \
         .max = 3},                                                                                \
    {                                                                                              \
        .name = "waiting_for", .type = API_STRING, .offset = offsetof(type_, waiting_for),         \
        .optional = true, .choices = waiting                                                       \
    }

struct held_query {
    struct api_page_query page;
    const char *state, *domain_id, *recipient_domain, *sender, *reason, *waiting_for;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct held_query, state),
     .optional = true,
     .choices = states},
    FILTER_FIELDS(struct held_query),
};
const struct api_spec api_held_query = {query_fields, 8, sizeof(struct held_query), NULL};

static const char *const actions[] = {"release", "retry", "delete", NULL};
struct held_bulk {
    const char *action, *domain_id, *recipient_domain, *sender, *reason, *waiting_for;
    bool all;
};
static const struct api_field bulk_fields[] = {
    {.name = "action",
     .type = API_STRING,
     .offset = offsetof(struct held_bulk, action),
     .choices = actions},
    {.name = "all",
     .type = API_BOOLEAN,
     .offset = offsetof(struct held_bulk, all),
     .optional = true},
    FILTER_FIELDS(struct held_bulk),
};
static bool bulk_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct held_bulk *b = out;
    bool filtered = b->domain_id || b->recipient_domain || b->sender || b->reason || b->waiting_for;
    return filtered != b->all ||
           api_invalid(err, "all",
                       filtered ? "and a filter exclude each other"
                                : "must be true where no filter says what it is about");
}
const struct api_spec api_held_bulk_body = {bulk_fields, 7, sizeof(struct held_bulk), bulk_check};

static json_t *held_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_held *h = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:o, s:o,"
                     " s:o, s:o, s:I, s:s, s:o, s:b, s:o}",
                     "id", h->key.id, "msg_id", h->msg_id, "tenant_id", h->tenant_id, "domain_id",
                     h->domain_id, "direction", h->direction, "state", h->state, "reason",
                     h->reason, "explanation", h->explanation, "sender", h->sender, "recipients",
                     api_json_strings(h->recipients, h->recipient_count), "recipient_domain",
                     h->recipient_domain, "queue_id", h->queue_id, "size_bytes",
                     (json_int_t)h->size_bytes, "received_at", api_json_time(h->received_at),
                     "held_at", api_json_time(h->key.at), "next_try_at",
                     api_json_time(h->next_try_at), "expires_at", api_json_time(h->expires_at),
                     "attempts", (json_int_t)h->attempts, "last_error", h->last_error,
                     "finished_at", api_json_time_or_null(h->finished_at), "quarantined",
                     h->quarantined, "approved_at", api_json_time_or_null(h->approved_at));
}

bool api_held_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct held_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_held *rows;
    size_t count;
    const struct sg_api_held_filter filter = {
        query->state,  query->domain_id, query->recipient_domain,
        query->sender, query->reason,    query->waiting_for};
    return api_page_read(r, &page, err) &&
           sg_api_held_list(tx, r->arena, r->tenant.key.id, &filter, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, held_json);
}

bool api_held_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_held held;
    return sg_api_held_find(tx, r->arena, r->tenant.key.id, api_param(r, "held_id"), &held, err) &&
           api_reply_ok(r, held_json(r->arena, &held));
}

bool api_held_release(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_held held;
    return sg_api_held_release(tx, r->arena, r->tenant.key.id, api_param(r, "held_id"), &held,
                               err) &&
           api_reply_ok(r, held_json(r->arena, &held));
}

bool api_held_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_held_delete(tx, r->arena, r->tenant.key.id, api_param(r, "held_id"), err) &&
           api_reply_gone(r);
}

/* Many at once: a job, about what is held at this moment. */
bool api_held_bulk(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct held_bulk *b = r->fields;
    struct sg_api_job job;
    const char *location;
    if (strcmp(b->action, "delete") == 0 && !sg_legal_hold_none(tx, r->tenant.key.id, err))
        return false;
    json_t *payload =
        json_pack("{s:s, s:s, s:I, s:s*, s:s*, s:s*, s:s*, s:s*}", "tenant_id", r->tenant.key.id,
                  "action", b->action, "until", (json_int_t)sg_tx_now(tx), "domain_id",
                  b->domain_id, "recipient_domain", b->recipient_domain, "sender", b->sender,
                  "reason", b->reason, "waiting_for", b->waiting_for);
    return api_job_make(r, tx, "held.bulk", payload, &job, &location, err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}
