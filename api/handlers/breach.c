/*
 * Breaches (REQ-113, 144): below a tenant its own, platform-wide every one. A tenant comments; the
 * provider, who reports them to the SecureMail Administrator, resolves.
 */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_breach.h"

static const char *const levels[] = {"breach", "warning", NULL};
static const char *const states[] = {"open", "resolved", NULL};
static const char *const sources[] = {"mail", "incident", NULL};

struct breach_query {
    struct api_page_query page;
    struct sg_api_breach_filter filter;
};
#define AT(member) offsetof(struct breach_query, filter.member)
#define WORD(field, column, most)                                                                  \
    {                                                                                              \
        .name = (field), .type = API_STRING, .offset = AT(column), .optional = true, .min = 1,     \
        .max = (most)                                                                              \
    }
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "level", .type = API_STRING, .offset = AT(level), .optional = true, .choices = levels},
    {.name = "state", .type = API_STRING, .offset = AT(state), .optional = true, .choices = states},
    {.name = "source",
     .type = API_STRING,
     .offset = AT(source),
     .optional = true,
     .choices = sources},
    WORD("code", code, 3),
    WORD("class", class, 100),
    WORD("domain", domain, 253),
    WORD("partner_domain", partner_domain, 253),
    {.name = "month",
     .type = API_STRING,
     .offset = AT(month),
     .optional = true,
     .check = api_check_month},
    {.name = "since", .type = API_TIME, .offset = AT(since), .optional = true},
};
const struct api_spec api_breach_query = {
    query_fields, sizeof query_fields / sizeof query_fields[0], sizeof(struct breach_query), NULL};

/* The tenant of the path; NULL on the provider's own paths. */
static const char *tenant_of(const struct api_request *r)
{
    const char *id = api_param(r, "tenant_id");
    return *id ? id : NULL;
}

static json_t *breach_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_breach *b = row;
    json_t *json = json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:s,"
        " s:o, s:o, s:o, s:o}",
        "id", b->key.id, "tenant_id", api_json_text_or_null(b->tenant_id), "source", b->source,
        "month", sg_arena_printf(arena, "%.7s", b->month), "level", b->level, "code", b->code,
        "class", b->class, "cause", b->cause, "domain", b->domain, "partner_domain",
        b->partner_domain, "direction", b->direction, "incident_id",
        api_json_text_or_null(b->incident_id), "messages", (json_int_t)b->messages, "recipients",
        (json_int_t)b->recipients, "samples", api_json_strings(b->samples, b->sample_count),
        "first_seen", api_json_time(b->key.at), "last_seen", api_json_time(b->last_seen), "state",
        b->state, "resolved_at", api_json_time_or_null(b->resolved_at), "resolved_by",
        api_json_text_or_null(b->resolved_by), "resolution", api_json_text_or_null(b->resolution),
        "reopened_at", api_json_time_or_null(b->reopened_at));
    if (b->notes)
        json_object_set_new(json, "notes", api_json_notes(b->notes, b->note_count));
    return json;
}

static bool shown(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_breach breach;
    return sg_api_breach_find(tx, r->arena, tenant_of(r), api_param(r, "breach_id"), &breach,
                              err) &&
           api_reply_ok(r, breach_json(r->arena, &breach));
}

bool api_breach_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct breach_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_breach *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_breach_list(tx, r->arena, tenant_of(r), &query->filter, &page, &rows, &count,
                              err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, breach_json);
}

bool api_breach_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return shown(r, tx, err);
}

/* There for the one who asks? What is not gives 404 before anything is tried. */
static bool found(struct api_request *r, struct sg_tx *tx, const char **id_r, struct sg_error *err)
{
    struct sg_api_breach breach;
    *id_r = api_param(r, "breach_id");
    return sg_api_breach_find(tx, r->arena, tenant_of(r), *id_r, &breach, err);
}

bool api_breach_resolve(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct api_words_body *body = r->fields;
    const char *id;
    return found(r, tx, &id, err) &&
           sg_api_breach_resolve(tx, tenant_of(r), id, body->words, err) && shown(r, tx, err);
}

bool api_breach_reopen(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct api_words_body *body = r->fields;
    const char *id;
    return found(r, tx, &id, err) && sg_api_breach_reopen(tx, tenant_of(r), id, body->words, err) &&
           shown(r, tx, err);
}

bool api_breach_note(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct api_words_body *body = r->fields;
    const char *id;
    return found(r, tx, &id, err) && sg_api_breach_note(tx, id, body->words, err) &&
           shown(r, tx, err);
}
