/*
 * The lists of members in the directories (of the whole platform): their state, and the changes
 * that wait for somebody's word.
 */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_job.h"
#include "schema/api_list.h"
#include "schema/incident.h"
#include "schema/member_list.h"

static const char *const states[] = {"pending", "applied", "refused", "superseded", NULL};

struct change_query {
    struct api_page_query page;
    const char *list, *state;
};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "list_id",
     .type = API_STRING,
     .offset = offsetof(struct change_query, list),
     .optional = true,
     .min = 1,
     .max = 40},
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct change_query, state),
     .optional = true,
     .choices = states},
};
const struct api_spec api_list_change_query = {query_fields, 4, sizeof(struct change_query), NULL};

static json_t *list_json(const struct sg_api_list *l)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:o, s:{s:o, s:s, s:I, s:I, s:s, s:o, s:s, s:o}, s:o}", "id",
        l->id, "name", l->name, "environment", l->environment, "version", l->version, "members",
        (json_int_t)l->members, "changed_at", api_json_time_or_null(l->changed_at), "reading",
        "succeeded_at", api_json_time_or_null(l->read_at), "version", l->read_version, "members",
        (json_int_t)l->read_members, "skipped", (json_int_t)l->skipped, "source", l->source_url,
        "failed_at", api_json_time_or_null(l->failed_at), "last_error", l->last_error, "next_at",
        api_json_time_or_null(l->next_at), "pending_change_id",
        api_json_text_or_null(l->pending_change_id));
}

static json_t *change_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_list_change *c = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:s}", "id",
                     c->key.id, "list_id", c->list_id, "list", c->list_name, "state", c->state,
                     "reason", c->reason, "version", c->version, "source", c->source_url,
                     "members_before", (json_int_t)c->members_before, "members_after",
                     (json_int_t)c->members_after, "added_count", (json_int_t)c->added,
                     "removed_count", (json_int_t)c->removed, "created_at",
                     api_json_time(c->key.at), "decided_at", api_json_time_or_null(c->decided_at),
                     "decided_by", c->decided_by);
}

bool api_list_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_list *rows;
    size_t count;
    if (!sg_api_list_all(tx, r->arena, NULL, &rows, &count, err))
        return false;
    json_t *data = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(data, list_json(&rows[i]));
    return api_reply_ok(r, json_pack("{s:o, s:n}", "data", data, "next_cursor"));
}

bool api_list_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_list *rows;
    size_t count;
    if (!sg_api_list_all(tx, r->arena, api_param(r, "list_id"), &rows, &count, err))
        return false;
    if (count == 0)
        return sg_fail(err, SG_E_NOT_FOUND, "no such list");
    return api_reply_ok(r, list_json(&rows[0]));
}

bool api_list_sync(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_job job;
    const char *location;
    return api_job_make(r, tx, "directory.sync", json_object(), &job, &location, err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

bool api_list_change_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct change_query *query = r->parameters;
    const struct sg_api_list_change_filter filter = {.list_id = query->list, .state = query->state};
    struct sg_api_page page;
    struct sg_api_list_change *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_list_change_list(tx, r->arena, &filter, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, change_json);
}

bool api_list_change_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_list_change row;
    struct sg_api_list_items items;
    if (!sg_api_list_change_find(tx, r->arena, api_param(r, "change_id"), &row, &items, err))
        return false;
    json_t *body = change_json(r->arena, &row);
    json_object_set_new(body, "added", api_json_strings(items.added, items.added_count));
    json_object_set_new(body, "removed", api_json_strings(items.removed, items.removed_count));
    return api_reply_ok(r, body);
}

/* REQ-55: somebody says yes or no. */
static bool decide(struct api_request *r, struct sg_tx *tx, bool approved, struct sg_error *err)
{
    struct sg_member_list list;
    const char *id = api_param(r, "change_id");
    if (!sg_list_change_decide(tx, r->arena, id, approved, r->caller.actor, &list, err))
        return false;
    const char *key = sg_arena_printf(r->arena, "directory.shrunk %s", list.name);
    const char *words = sg_arena_printf(r->arena, "%s was %s by %s", id,
                                        approved ? "approved" : "refused", r->caller.actor);
    return sg_incident_resolve(tx, key, words, err) && api_list_change_get(r, tx, err);
}

bool api_list_change_approve(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return decide(r, tx, true, err);
}

bool api_list_change_refuse(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return decide(r, tx, false, err);
}
