#include "schema/notice.h"

#include "schema/db_internal.h"

bool sg_notice_insert(struct sg_db *db, const struct sg_notice_row *row, bool *inserted_r,
                      struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->id);
    sg_param_text(&p, row->msg_id);
    sg_param_text(&p, row->tenant_id);
    sg_param_text(&p, row->domain_id);
    sg_param_text(&p, row->kind);
    sg_param_text(&p, row->recipient);
    sg_param_text(&p, row->about);
    sg_param_bytes(&p, row->original);
    sg_param_bytes(&p, row->wrapped_key);
    sg_param_time(&p, row->created_at);
    sg_param_time(&p, row->next_try_at);
    int affected = 0;
    if (!sg_db_change(db, SG_Q_NOTICE_INSERT, &p, &affected, err))
        return false;
    *inserted_r = affected == 1;
    return true;
}

struct list {
    struct sg_arena *arena;
    struct sg_notice_row *rows;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_notice_row, (size_t)count);
    list->count = (size_t)count;
    struct sg_notice_row *row = &list->rows[index];
    row->id = sg_row_text(r);
    row->msg_id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->domain_id = sg_row_text(r);
    row->kind = sg_row_text(r);
    row->recipient = sg_row_text(r);
    row->original = sg_row_bytes(r);
    row->wrapped_key = sg_row_bytes(r);
    row->created_at = sg_row_time(r);
    row->next_try_at = sg_row_time(r);
    row->attempts = (int)sg_row_int(r);
    return true;
}

bool sg_notice_claim_due(struct sg_db *db, struct sg_arena *arena, sg_time now, int64_t lease_ms,
                         int limit, struct sg_notice_row **rows_r, size_t *count_r,
                         struct sg_error *err)
{
    struct list list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_time(&p, now);
    sg_param_int(&p, lease_ms);
    sg_param_int(&p, limit);
    if (!sg_db_read(db, arena, SG_Q_NOTICE_CLAIM_DUE, &p, take, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}

bool sg_notice_reschedule(struct sg_db *db, const char *id, sg_time next_try_at,
                          const char *last_error, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, next_try_at);
    sg_param_text(&p, last_error);
    return sg_db_change(db, SG_Q_NOTICE_RESCHEDULE, &p, NULL, err);
}

bool sg_notice_finish(struct sg_db *db, const char *id, const char *state, const char *last_error,
                      sg_time now, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, state);
    sg_param_text(&p, last_error);
    sg_param_time(&p, now);
    return sg_db_change(db, SG_Q_NOTICE_FINISH, &p, NULL, err);
}
