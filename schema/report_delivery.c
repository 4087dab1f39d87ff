#include "schema/report_delivery.h"

#include "schema/db_internal.h"

#include "common/id.h"

bool sg_report_recipients(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                          const char *kind, const char *administrator, const char ***addresses_r,
                          size_t *count_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, kind);
    sg_param_text(&p, administrator);
    if (!sg_tx_query_one(tx, SG_Q_REPORT_RECIPIENTS, &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *addresses_r = sg_row_texts(&r, count_r);
    return sg_row_end(&r, err);
}

bool sg_report_delivery_ensure(struct sg_tx *tx, const char *report_id, const char *tenant_id,
                               const char *recipient, const char *domain, struct sg_error *err)
{
    struct sg_id id = sg_id_new("rdl");
    struct sg_params p = {0};
    sg_param_text(&p, id.text);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, report_id);
    sg_param_text(&p, recipient);
    sg_param_text(&p, domain);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_REPORT_DELIVERY_ENSURE, &p, NULL, err);
}

bool sg_report_delivery_list(struct sg_tx *tx, struct sg_arena *arena, const char *report_id,
                             struct sg_report_delivery **rows_r, size_t *count_r,
                             struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, report_id);
    if (!sg_tx_query(tx, SG_Q_REPORT_DELIVERY_LIST, &p, &rows, err))
        return false;
    *count_r = (size_t)rows.count;
    *rows_r = SG_ARENA_ARRAY(arena, struct sg_report_delivery, *count_r + 1);
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        struct sg_report_delivery *d = &(*rows_r)[i];
        d->id = sg_row_text(&r);
        d->recipient = sg_row_text(&r);
        d->state = sg_row_text(&r);
        d->message_id = sg_row_text(&r);
        d->attempts = sg_row_int(&r);
        d->sent_at = sg_row_time(&r);
        d->secure = sg_row_bool(&r);
        if (!sg_row_end(&r, err))
            return false;
    }
    return true;
}

bool sg_report_delivery_set(struct sg_tx *tx, const char *id, const char *state, const char *words,
                            const char *msg_id, bool sent, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, state);
    sg_param_text(&p, words);
    sg_param_text(&p, msg_id);
    sg_param_bool(&p, sent);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_REPORT_DELIVERY_SET, &p, NULL, "no such delivery", err);
}

bool sg_report_delivery_again(struct sg_tx *tx, struct sg_arena *arena,
                              struct sg_report_again **rows_r, size_t *count_r,
                              struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_REPORT_DELIVERY_AGAIN, &p, &rows, err))
        return false;
    *count_r = (size_t)rows.count;
    *rows_r = SG_ARENA_ARRAY(arena, struct sg_report_again, *count_r + 1);
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        (*rows_r)[i].report_id = sg_row_text(&r);
        (*rows_r)[i].tenant_id = sg_row_text(&r);
        if (!sg_row_end(&r, err))
            return false;
    }
    return true;
}

bool sg_report_delivery_seen(struct sg_tx *tx, struct sg_arena *arena, const char *message_id,
                             const char *recipient, sg_time since, struct sg_report_seen *seen_r,
                             struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    *seen_r = (struct sg_report_seen){0};
    sg_param_text(&p, message_id);
    sg_param_text(&p, recipient);
    sg_param_time(&p, since);
    if (!sg_tx_query(tx, SG_Q_REPORT_DELIVERY_SEEN, &p, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    seen_r->msg_id = sg_row_text(&r);
    seen_r->outcome = sg_row_text(&r);
    seen_r->verdict = sg_row_text(&r);
    seen_r->reply = sg_row_text(&r);
    return sg_row_end(&r, err);
}

bool sg_report_unsigned(struct sg_tx *tx, struct sg_arena *arena, sg_time before,
                        const char ***ids_r, size_t *count_r, const char ***signed_r,
                        size_t *signed_count_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, before);
    if (!sg_tx_query_one(tx, SG_Q_REPORT_UNSIGNED, &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *ids_r = sg_row_texts(&r, count_r);
    *signed_r = sg_row_texts(&r, signed_count_r);
    return sg_row_end(&r, err);
}
