/* Certificates whose revocation is not checked for a time: for the worst case alone (REQ-59). */
#include "schema/api_crl_bypass.h"

#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "api/service.h"

struct bypass_new {
    const char *sha256, *reason;
    sg_time ends_at;
};
static const struct api_field fields[] = {
    {.name = "sha256",
     .type = API_STRING,
     .offset = offsetof(struct bypass_new, sha256),
     .min = 64,
     .max = 95,
     .check = api_check_fingerprint},
    {.name = "reason",
     .type = API_STRING,
     .offset = offsetof(struct bypass_new, reason),
     .min = 1,
     .max = 500},
    {.name = "ends_at", .type = API_TIME, .offset = offsetof(struct bypass_new, ends_at)},
};
const struct api_spec api_crl_bypass_new = {fields, 3, sizeof(struct bypass_new), NULL};

bool api_crl_bypass_end_check(const struct api_request *r, const char *field, sg_time end,
                              struct sg_error *err)
{
    sg_time now = sg_clock_now(), most = r->service->crl_bypass_max_ms * 1000;
    return (end > now && end <= now + most) ||
           api_invalid(err, field,
                       "must lie ahead, within %lld hours: a bypass has an end (REQ-59)",
                       (long long)(most / (3600 * SG_SECOND)));
}

static json_t *bypass_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_crl_bypass *b = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "id", b->key.id, "sha256", b->sha256,
                     "reason", b->reason, "actor", b->actor, "ends_at", api_json_time(b->ends_at),
                     "created_at", api_json_time(b->key.at));
}

bool api_crl_bypass_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct bypass_new *body = r->fields;
    struct sg_id id = sg_id_new("byp");
    const struct sg_api_crl_bypass wanted = {.key = {.id = id.text},
                                             .sha256 = body->sha256,
                                             .reason = body->reason,
                                             .ends_at = body->ends_at};
    struct sg_api_crl_bypass made;
    return api_crl_bypass_end_check(r, "ends_at", body->ends_at, err) &&
           sg_api_crl_bypass_insert(tx, r->arena, &wanted, &made, err) &&
           api_reply_created(r, sg_arena_printf(r->arena, "/v1/crl-bypasses/%s", id.text),
                             bypass_json(r->arena, &made));
}

bool api_crl_bypass_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_crl_bypass *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_crl_bypass_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, bypass_json);
}

bool api_crl_bypass_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_crl_bypass row;
    return sg_api_crl_bypass_find(tx, r->arena, api_param(r, "bypass_id"), &row, err) &&
           api_reply_ok(r, bypass_json(r->arena, &row));
}

bool api_crl_bypass_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_crl_bypass_delete(tx, api_param(r, "bypass_id"), err) && api_reply_gone(r);
}
