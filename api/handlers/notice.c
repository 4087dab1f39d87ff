/* Notices: gatewayd writes and sends them, here they are looked at. */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_notice.h"

static const char *const states[] = {"open", "pending", "folded", "sent", "failed", NULL};
static const char *const kinds[] = {"failure",    "delayed",    "non-delivery",   "receipt",
                                    "waiting",    "unverified", "system-failure", "system-warning",
                                    "quarantine", "breach",     "certificate",    NULL};

static bool check_msg_id(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "msg") ||
           sg_fail(err, SG_E_INVALID, "must be the id of a message (msg_…)");
}

static bool check_notice_id(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "ntc") ||
           sg_fail(err, SG_E_INVALID, "must be the id of a notice (ntc_…)");
}

struct notice_query {
    struct api_page_query page;
    const char *state, *kind, *recipient, *msg_id, *summary_id;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct notice_query, state),
     .optional = true,
     .choices = states},
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct notice_query, kind),
     .optional = true,
     .choices = kinds},
    {.name = "recipient",
     .type = API_STRING,
     .offset = offsetof(struct notice_query, recipient),
     .optional = true,
     .min = 1,
     .max = 512,
     .check = api_check_address},
    {.name = "msg_id",
     .type = API_STRING,
     .offset = offsetof(struct notice_query, msg_id),
     .optional = true,
     .check = check_msg_id},
    {.name = "summary_id",
     .type = API_STRING,
     .offset = offsetof(struct notice_query, summary_id),
     .optional = true,
     .check = check_notice_id},
};
const struct api_spec api_notice_query = {query_fields, 7, sizeof(struct notice_query), NULL};

static json_t *notice_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_notice *n = row;
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:o, s:I, s:s, s:o, s:o, s:o}",
        "id", n->key.id, "msg_id", api_json_text_or_null(n->msg_id), "tenant_id", n->tenant_id,
        "domain_id", n->domain_id, "kind", n->kind, "state", n->state, "recipient", n->recipient,
        "codes", n->codes, "partner", n->partner, "concerning",
        api_json_strings(n->concerning, n->concerning_count), "stands_for",
        (json_int_t)n->stands_for, "summary_id", api_json_text_or_null(n->summary_id), "attempts",
        (json_int_t)n->attempts, "last_error", n->last_error, "created_at",
        api_json_time(n->key.at), "next_try_at", api_json_time(n->next_try_at), "finished_at",
        api_json_time_or_null(n->finished_at));
}

bool api_notice_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct notice_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_notice *rows;
    size_t count;
    const struct sg_api_notice_filter filter = {query->state, query->kind, query->recipient,
                                                query->msg_id, query->summary_id};
    return api_page_read(r, &page, err) &&
           sg_api_notice_list(tx, r->arena, r->tenant.key.id, &filter, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, notice_json);
}

bool api_notice_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_notice notice;
    return sg_api_notice_find(tx, r->arena, r->tenant.key.id, api_param(r, "notice_id"), &notice,
                              err) &&
           api_reply_ok(r, notice_json(r->arena, &notice));
}
