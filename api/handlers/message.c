/* The retention log (REQ-117) and the trace of a message. */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_message.h"

#include <stdlib.h>

struct message_query {
    struct api_page_query page;
    struct sg_api_message_filter filter;
};
static const char *const outcomes[] = {"received", "delivered", "held",    "refused",
                                       "deferred", "discarded", "expired", NULL};
#define DOMAIN(field, column)                                                                      \
    {                                                                                              \
        .name = (field), .type = API_STRING, .offset = AT(column), .optional = true, .min = 1,     \
        .max = 253, .check = api_check_address                                                     \
    }
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
    DOMAIN("domain", domain),
    DOMAIN("sender_domain", sender_domain),
    DOMAIN("recipient_domain", recipient_domain),
    {.name = "client",
     .type = API_STRING,
     .offset = AT(client),
     .optional = true,
     .min = 1,
     .max = 64},
    {.name = "outcome",
     .type = API_STRING,
     .offset = AT(outcome),
     .optional = true,
     .choices = outcomes},
    {.name = "verdict",
     .type = API_STRING,
     .offset = AT(verdict),
     .optional = true,
     .min = 1,
     .max = 20},
    {.name = "code", .type = API_STRING, .offset = AT(code), .optional = true, .min = 1, .max = 3},
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
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "id",
                     m->key.id, "tenant_id", m->tenant_id, "received_at", api_json_time(m->key.at),
                     "direction", m->direction, "node", m->node, "queue_id", m->queue_id, "sender",
                     m->sender, "header_from", m->header_from, "message_id", m->message_id,
                     "client_address", m->client_address, "size_bytes", (json_int_t)m->size_bytes,
                     "body_sha256", api_json_hex_or_null(arena, m->body_sha256), "sent_at",
                     api_json_time_or_null(m->sent_at), "recipients", recipients);
}

static json_t *trace_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_trace *t = row;
    return json_pack("{s:o, s:I, s:s, s:s, s:o}", "at", api_json_time(t->key.at), "seq",
                     (json_int_t)t->seq, "step", t->step, "requirement", t->requirement, "detail",
                     api_json_parse(t->detail));
}

/* The provider reads what is a customer's, and the customer can see in its audit log that it did.
 * A tenant's own callers read their own. */
static bool read_audited(struct api_request *r, struct sg_tx *tx, const char *tenant_id,
                         const char *id, json_t *parameters, struct sg_error *err)
{
    char *text = json_dumps(parameters, JSON_COMPACT);
    bool ok = text || sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    ok = ok && (r->caller.tenant_id || sg_api_audit_read(tx, tenant_id, "message", id, text, err));
    free(text);
    json_decref(parameters);
    return ok;
}

static void text_put(json_t *o, const char *name, const char *value)
{
    if (value)
        json_object_set_new(o, name, json_string(value));
}

/* What was asked for; shown is how many of the tenant's messages the page has. */
static json_t *asked_json(const struct sg_api_message_filter *f, size_t shown)
{
    json_t *o = json_pack("{s:I}", "shown", (json_int_t)shown);
    if (f->from)
        json_object_set_new(o, "from", api_json_time(f->from));
    if (f->to)
        json_object_set_new(o, "to", api_json_time(f->to));
    text_put(o, "sender", f->sender);
    text_put(o, "sender_domain", f->sender_domain);
    text_put(o, "recipient", f->recipient);
    text_put(o, "recipient_domain", f->recipient_domain);
    text_put(o, "domain", f->domain);
    text_put(o, "message_id", f->message_id);
    text_put(o, "queue_id", f->queue_id);
    text_put(o, "direction", f->direction);
    text_put(o, "client", f->client);
    text_put(o, "outcome", f->outcome);
    text_put(o, "verdict", f->verdict);
    text_put(o, "code", f->code);
    return o;
}

/* One row for the search as a whole, and one for each tenant whose messages are shown. */
static bool search_audited(struct api_request *r, struct sg_tx *tx, const char *tenant_id,
                           const struct sg_api_message_filter *filter,
                           const struct sg_api_message *rows, size_t count, struct sg_error *err)
{
    if (r->caller.tenant_id)
        return true;
    if (!read_audited(r, tx, tenant_id, "", asked_json(filter, count), err))
        return false;
    for (size_t i = 0; i < count && !tenant_id; i++) {
        size_t of = 0, before = 0;
        for (size_t k = 0; k < count; k++) {
            bool same = strcmp(rows[k].tenant_id, rows[i].tenant_id) == 0;
            of += same;
            before += same && k < i;
        }
        if (before == 0 && !read_audited(r, tx, rows[i].tenant_id, "", asked_json(filter, of), err))
            return false;
    }
    return true;
}

static bool list(struct api_request *r, struct sg_tx *tx, const char *tenant_id,
                 struct sg_error *err)
{
    const struct message_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_message *rows;
    size_t count;
    if (!api_page_read(r, &page, err) ||
        !sg_api_message_list(tx, r->arena, tenant_id, &query->filter, &page, &rows, &count, err))
        return false;
    size_t shown = count > (size_t)page.limit ? (size_t)page.limit : count;
    return search_audited(r, tx, tenant_id, &query->filter, rows, shown, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, message_json);
}

bool api_message_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return list(r, tx, r->tenant.key.id, err);
}

bool api_message_list_all(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return list(r, tx, NULL, err);
}

bool api_message_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_message message;
    const char *tenant = r->tenant.key.id, *id = api_param(r, "msg_id");
    return sg_api_message_find(tx, r->arena, tenant, id, &message, err) &&
           read_audited(r, tx, tenant, id, json_pack("{s:s}", "what", "message"), err) &&
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
           read_audited(r, tx, r->tenant.key.id, id, json_pack("{s:s}", "what", "trace"), err) &&
           sg_api_trace_list(tx, r->arena, r->tenant.key.id, id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, trace_json);
}
