#include "schema/api_notice.h"

#include "schema/api_internal.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_notice *n = item;
    sg_row_key(row, &n->key);
    n->msg_id = sg_row_text(row);
    n->tenant_id = sg_row_text(row);
    n->domain_id = sg_row_text(row);
    n->kind = sg_row_text(row);
    n->state = sg_row_text(row);
    n->recipient = sg_row_text(row);
    n->codes = sg_row_text(row);
    n->partner = sg_row_text(row);
    n->concerning = sg_row_texts(row, &n->concerning_count);
    n->stands_for = sg_row_int(row);
    n->summary_id = sg_row_text(row);
    n->attempts = sg_row_int(row);
    n->last_error = sg_row_text(row);
    n->next_try_at = sg_row_time(row);
    n->finished_at = sg_row_time(row);
}

bool sg_api_notice_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *id, struct sg_api_notice *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_NOTICE_FIND, &p, take, row_r, "no such notice", err);
}

bool sg_api_notice_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const struct sg_api_notice_filter *filter, const struct sg_api_page *page,
                        struct sg_api_notice **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, filter->state);
    sg_param_text(&p, filter->kind);
    sg_param_text(&p, filter->recipient);
    sg_param_text(&p, filter->msg_id);
    sg_param_text(&p, filter->summary_id);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_NOTICE_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
