#include "schema/api_incident.h"

#include "common/id.h"
#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_incident *i = item;
    sg_row_key(row, &i->key);
    i->tenant_id = sg_row_text(row);
    i->domain_id = sg_row_text(row);
    i->kind = sg_row_text(row);
    i->severity = sg_row_text(row);
    i->state = sg_row_text(row);
    i->summary = sg_row_text(row);
    i->detail = sg_row_text(row);
    i->occurrences = sg_row_int(row);
    i->last_seen = sg_row_time(row);
    i->acknowledged_at = sg_row_time(row);
    i->acknowledged_by = sg_row_text(row);
    i->resolved_at = sg_row_time(row);
    i->resolved_by = sg_row_text(row);
    i->resolution = sg_row_text(row);
}

static void note_take(struct sg_row *row, void *item)
{
    struct sg_api_note *n = item;
    sg_row_key(row, &n->key);
    n->actor = sg_row_text(row);
    n->action = sg_row_text(row);
    n->words = sg_row_text(row);
}

bool sg_api_notes(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query, const char *id,
                  struct sg_api_note **notes_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    *notes_r = sg_api_rows(tx, arena, query, &p, note_take, sizeof **notes_r, count_r, err);
    return *notes_r != NULL;
}

bool sg_api_incident_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                          const struct sg_api_incident_filter *filter,
                          const struct sg_api_page *page, struct sg_api_incident **rows_r,
                          size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, filter->state);
    sg_param_text(&p, filter->kind);
    sg_param_text(&p, filter->severity);
    sg_param_time_or_null(&p, filter->since);
    sg_param_text(&p, filter->domain_id);
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_INCIDENT_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_incident_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                          const char *id, struct sg_api_incident *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    *row_r = (struct sg_api_incident){0};
    return sg_api_row(tx, arena, SG_Q_API_INCIDENT_FIND, &p, take, row_r, "no such incident",
                      err) &&
           sg_api_notes(tx, arena, SG_Q_API_INCIDENT_NOTE_LIST, id, &row_r->notes,
                        &row_r->note_count, err);
}

static bool note_insert(struct sg_tx *tx, const char *id, const char *action, const char *words,
                        struct sg_error *err)
{
    struct sg_params p = {0};
    struct sg_id note = sg_id_new("inn");
    sg_param_text(&p, note.text);
    sg_param_text(&p, id);
    sg_param_text(&p, action);
    sg_param_text(&p, words);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_INCIDENT_NOTE_INSERT, &p, NULL, "no such incident", err);
}

bool sg_api_incident_acknowledge(struct sg_tx *tx, const char *tenant_id, const char *id,
                                 const char *words, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_change(tx, SG_Q_API_INCIDENT_ACKNOWLEDGE, &p, "the incident is not open", err) &&
           note_insert(tx, id, "acknowledged", words, err);
}

bool sg_api_incident_resolve(struct sg_tx *tx, const char *tenant_id, const char *id,
                             const char *words, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, words);
    return sg_api_change(tx, SG_Q_API_INCIDENT_RESOLVE, &p, "the incident is resolved already",
                         err) &&
           note_insert(tx, id, "resolved", words, err);
}

bool sg_api_incident_note(struct sg_tx *tx, const char *id, const char *words, struct sg_error *err)
{
    return note_insert(tx, id, "noted", words, err);
}
