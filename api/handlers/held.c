/* Held mail (REQ-56): gatewayd is woken by the change of a row. */
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_held.h"

static const char *const states[] = {"held", "sent", "deleted", "expired", NULL};

struct held_query {
    struct api_page_query page;
    const char *state;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct held_query, state),
     .optional = true,
     .choices = states},
};
const struct api_spec api_held_query = {query_fields, 3, sizeof(struct held_query), NULL};

static json_t *held_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_held *h = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:o, s:o,"
                     " s:o, s:o, s:I, s:s, s:o}",
                     "id", h->key.id, "msg_id", h->msg_id, "tenant_id", h->tenant_id, "domain_id",
                     h->domain_id, "direction", h->direction, "state", h->state, "reason",
                     h->reason, "explanation", h->explanation, "sender", h->sender, "recipients",
                     api_json_strings(h->recipients, h->recipient_count), "recipient_domain",
                     h->recipient_domain, "queue_id", h->queue_id, "size_bytes",
                     (json_int_t)h->size_bytes, "received_at", api_json_time(h->received_at),
                     "held_at", api_json_time(h->key.at), "next_try_at",
                     api_json_time(h->next_try_at), "expires_at", api_json_time(h->expires_at),
                     "attempts", (json_int_t)h->attempts, "last_error", h->last_error,
                     "finished_at", api_json_time_or_null(h->finished_at));
}

bool api_held_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct held_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_held *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_held_list(tx, r->arena, r->tenant.key.id, query->state, &page, &rows, &count,
                            err) &&
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
