/* The retention log (REQ-117) and the trace of a message. */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_message.h"

struct message_query {
    struct api_page_query page;
    struct sg_api_message_filter filter;
};
#define AT(member) offsetof(struct message_query, filter.member)
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "from", .type = API_TIME, .offset = AT(from), .optional = true},
    {.name = "to", .type = API_TIME, .offset = AT(to), .optional = true},
    {.name = "sender",
     .type = API_STRING,
     .offset = AT(sender),
     .optional = true,
     .min = 1,
     .max = 320,
     .check = api_check_address},
    {.name = "recipient",
     .type = API_STRING,
     .offset = AT(recipient),
     .optional = true,
     .min = 1,
     .max = 320,
     .check = api_check_address},
    {.name = "message_id",
     .type = API_STRING,
     .offset = AT(message_id),
     .optional = true,
     .min = 1,
     .max = 998,
     .check = api_check_message_id},
    {.name = "queue_id",
     .type = API_STRING,
     .offset = AT(queue_id),
     .optional = true,
     .min = 1,
     .max = 64},
    {.name = "direction",
     .type = API_STRING,
     .offset = AT(direction),
     .optional = true,
     .choices = api_directions},
};
const struct api_spec api_message_query = {
    query_fields, sizeof query_fields / sizeof query_fields[0], sizeof(struct message_query), NULL};

static json_t *recipient_json(const struct sg_api_recipient *r)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o}", "recipient", r->recipient, "outcome",
                     r->outcome, "verdict", r->verdict, "codes",
                     api_json_strings(r->codes, r->code_count), "reply", r->reply, "outcome_at",
                     api_json_time(r->outcome_at));
}

static json_t *message_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_message *m = row;
    json_t *recipients = json_array();
    for (size_t i = 0; i < m->recipient_count; i++)
        json_array_append_new(recipients, recipient_json(&m->recipients[i]));
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "id",
                     m->key.id, "tenant_id", m->tenant_id, "received_at", api_json_time(m->key.at),
                     "direction", m->direction, "node", m->node, "queue_id", m->queue_id, "sender",
                     m->sender, "header_from", m->header_from, "message_id", m->message_id,
                     "client_address", m->client_address, "size_bytes", (json_int_t)m->size_bytes,
                     "body_sha256", api_json_hex_or_null(arena, m->body_sha256), "recipients",
                     recipients);
}

static json_t *trace_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_trace *t = row;
    return json_pack("{s:o, s:I, s:s, s:s, s:o}", "at", api_json_time(t->key.at), "seq",
                     (json_int_t)t->seq, "step", t->step, "requirement", t->requirement, "detail",
                     api_json_parse(t->detail));
}

bool api_message_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct message_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_message *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_message_list(tx, r->arena, r->tenant.key.id, &query->filter, &page, &rows, &count,
                               err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, message_json);
}

bool api_message_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_message message;
    return sg_api_message_find(tx, r->arena, r->tenant.key.id, api_param(r, "msg_id"), &message,
                               err) &&
           api_reply_ok(r, message_json(r->arena, &message));
}

bool api_message_trace(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_message message;
    struct sg_api_trace *rows;
    size_t count;
    const char *id = api_param(r, "msg_id");
    return api_page_read(r, &page, err) &&
           sg_api_message_find(tx, r->arena, r->tenant.key.id, id, &message, err) &&
           sg_api_trace_list(tx, r->arena, r->tenant.key.id, id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, trace_json);
}
