#include "schema/api_breach.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_breach *b = item;
    sg_row_key(row, &b->key);
    b->tenant_id = sg_row_text(row);
    b->source = sg_row_text(row);
    b->month = sg_row_text(row);
    b->level = sg_row_text(row);
    b->code = sg_row_text(row);
    b->class = sg_row_text(row);
    b->cause = sg_row_text(row);
    b->domain = sg_row_text(row);
    b->partner_domain = sg_row_text(row);
    b->direction = sg_row_text(row);
    b->incident_id = sg_row_text(row);
    b->messages = sg_row_int(row);
    b->recipients = sg_row_int(row);
    b->samples = sg_row_texts(row, &b->sample_count);
    b->last_seen = sg_row_time(row);
    b->state = sg_row_text(row);
    b->resolved_at = sg_row_time(row);
    b->resolved_by = sg_row_text(row);
    b->resolution = sg_row_text(row);
    b->reopened_at = sg_row_time(row);
}

bool sg_api_breach_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const struct sg_api_breach_filter *filter, const struct sg_api_page *page,
                        struct sg_api_breach **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, filter->level);
    sg_param_text(&p, filter->state);
    sg_param_text(&p, filter->code);
    sg_param_text(&p, filter->class);
    sg_param_text(&p, filter->domain);
    sg_param_text(&p, filter->partner_domain);
    sg_param_text(&p, filter->source);
    sg_param_text(&p, filter->month);
    sg_param_time_or_null(&p, filter->since);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_BREACH_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_breach_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *id, struct sg_api_breach *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    *row_r = (struct sg_api_breach){0};
    return sg_api_row(tx, arena, SG_Q_API_BREACH_FIND, &p, take, row_r, "no such breach", err) &&
           sg_api_notes(tx, arena, SG_Q_API_BREACH_NOTE_LIST, id, &row_r->notes, &row_r->note_count,
                        err);
}

static bool note_insert(struct sg_tx *tx, const char *id, const char *action, const char *words,
                        struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, action);
    sg_param_text(&p, words);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_BREACH_NOTE_INSERT, &p, NULL, "no such breach", err);
}

bool sg_api_breach_resolve(struct sg_tx *tx, const char *tenant_id, const char *id,
                           const char *words, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, words);
    return sg_api_change(tx, SG_Q_API_BREACH_RESOLVE, &p, "the breach is resolved already", err) &&
           note_insert(tx, id, "resolved", words, err);
}

bool sg_api_breach_reopen(struct sg_tx *tx, const char *tenant_id, const char *id,
                          const char *words, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_change(tx, SG_Q_API_BREACH_REOPEN, &p, "the breach is open", err) &&
           note_insert(tx, id, "reopened", words, err);
}

bool sg_api_breach_note(struct sg_tx *tx, const char *id, const char *words, struct sg_error *err)
{
    return note_insert(tx, id, "noted", words, err);
}
