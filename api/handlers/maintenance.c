/* Maintenance is announced before it begins; then it does not count as an outage (REQ-142). */
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_maintenance.h"

#define LONGEST (7 * SG_DAY)

#define AT(member) offsetof(struct sg_api_maintenance, member)
static const struct api_field new_fields[] = {
    {.name = "begins_at", .type = API_TIME, .offset = AT(begins_at)},
    {.name = "ends_at", .type = API_TIME, .offset = AT(ends_at)},
    {.name = "words", .type = API_TEXT, .offset = AT(words), .min = 1, .max = 2000},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct sg_api_maintenance *body = out;
    if (body->ends_at <= body->begins_at)
        return api_invalid(err, "ends_at", "is not after it begins");
    return body->ends_at - body->begins_at <= LONGEST ||
           api_invalid(err, "ends_at", "is more than seven days after it begins");
}
const struct api_spec api_maintenance_new = {new_fields, 3, sizeof(struct sg_api_maintenance),
                                             new_check};

static json_t *maintenance_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_maintenance *m = row;
    return json_pack("{s:s, s:o, s:o, s:s, s:o, s:s}", "id", m->key.id, "begins_at",
                     api_json_time(m->begins_at), "ends_at", api_json_time(m->ends_at), "words",
                     m->words, "created_at", api_json_time(m->key.at), "created_by", m->created_by);
}

bool api_maintenance_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_maintenance window = *(const struct sg_api_maintenance *)r->fields, made;
    window.created_by = r->caller.actor;
    if (window.begins_at <= sg_tx_now(tx))
        return api_invalid(err, "begins_at",
                           "is not in the future: maintenance is announced before");
    return sg_api_maintenance_insert(tx, r->arena, &window, &made, err) &&
           api_reply_created(r, sg_arena_printf(r->arena, "%s/%s", r->path, made.key.id),
                             maintenance_json(r->arena, &made));
}

bool api_maintenance_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_maintenance *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_maintenance_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, maintenance_json);
}

bool api_maintenance_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_maintenance_delete(tx, api_param(r, "maintenance_id"), err) && api_reply_gone(r);
}
