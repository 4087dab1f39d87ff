/*
 * Incidents: below a tenant its own, platform-wide every one. A tenant acknowledges and notes; the
 * provider, who answers for them, resolves.
 */
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_incident.h"

static const char *const states[] = {"open", "acknowledged", "resolved", NULL};
static const char *const severities[] = {"info", "warning", "critical", NULL};

struct incident_query {
    struct api_page_query page;
    struct sg_api_incident_filter filter;
};
#define AT(member) offsetof(struct incident_query, filter.member)
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "state", .type = API_STRING, .offset = AT(state), .optional = true, .choices = states},
    {.name = "kind",
     .type = API_STRING,
     .offset = AT(kind),
     .optional = true,
     .min = 1,
     .max = 100},
    {.name = "severity",
     .type = API_STRING,
     .offset = AT(severity),
     .optional = true,
     .choices = severities},
    {.name = "since", .type = API_TIME, .offset = AT(since), .optional = true},
};
const struct api_spec api_incident_query = {query_fields,
                                            sizeof query_fields / sizeof query_fields[0],
                                            sizeof(struct incident_query), NULL};

static const struct api_field words_field[] = {{.name = "words",
                                                .type = API_TEXT,
                                                .offset = offsetof(struct api_words_body, words),
                                                .min = 1,
                                                .max = 4000}};
const struct api_spec api_words = {words_field, 1, sizeof(struct api_words_body), NULL};

/* The tenant of the path; NULL on the provider's own paths. */
static const char *tenant_of(const struct api_request *r)
{
    const char *id = api_param(r, "tenant_id");
    return *id ? id : NULL;
}

json_t *api_json_notes(const struct sg_api_note *notes, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            all, json_pack("{s:o, s:s, s:s, s:s}", "at", api_json_time(notes[i].key.at), "actor",
                           notes[i].actor, "action", notes[i].action, "words", notes[i].words));
    return all;
}

static json_t *incident_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_incident *i = row;
    json_t *json = json_pack(
        "{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        i->key.id, "tenant_id", api_json_text_or_null(i->tenant_id), "domain_id",
        api_json_text_or_null(i->domain_id), "kind", i->kind, "severity", i->severity, "state",
        i->state, "summary", i->summary, "detail", api_json_parse(i->detail), "occurrences",
        (json_int_t)i->occurrences, "first_seen", api_json_time(i->key.at), "last_seen",
        api_json_time(i->last_seen), "acknowledged_at", api_json_time_or_null(i->acknowledged_at),
        "acknowledged_by", api_json_text_or_null(i->acknowledged_by), "resolved_at",
        api_json_time_or_null(i->resolved_at), "resolved_by", api_json_text_or_null(i->resolved_by),
        "resolution", api_json_text_or_null(i->resolution));
    if (i->notes)
        json_object_set_new(json, "notes", api_json_notes(i->notes, i->note_count));
    return json;
}

static bool shown(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_incident incident;
    return sg_api_incident_find(tx, r->arena, tenant_of(r), api_param(r, "incident_id"), &incident,
                                err) &&
           api_reply_ok(r, incident_json(r->arena, &incident));
}

bool api_incident_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct incident_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_incident *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_incident_list(tx, r->arena, tenant_of(r), &query->filter, &page, &rows, &count,
                                err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, incident_json);
}

bool api_incident_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return shown(r, tx, err);
}

/* There for the one who asks? What is not gives 404 before anything is tried. */
static bool found(struct api_request *r, struct sg_tx *tx, const char **id_r, struct sg_error *err)
{
    struct sg_api_incident incident;
    *id_r = api_param(r, "incident_id");
    return sg_api_incident_find(tx, r->arena, tenant_of(r), *id_r, &incident, err);
}

bool api_incident_acknowledge(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct api_words_body *body = r->fields;
    const char *id;
    return found(r, tx, &id, err) &&
           sg_api_incident_acknowledge(tx, tenant_of(r), id, body->words, err) && shown(r, tx, err);
}

bool api_incident_resolve(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct api_words_body *body = r->fields;
    const char *id;
    return found(r, tx, &id, err) &&
           sg_api_incident_resolve(tx, tenant_of(r), id, body->words, err) && shown(r, tx, err);
}

bool api_incident_note(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct api_words_body *body = r->fields;
    const char *id;
    return found(r, tx, &id, err) && sg_api_incident_note(tx, id, body->words, err) &&
           shown(r, tx, err);
}
