#include "schema/directory_source.h"

#include "schema/db_internal.h"

struct list {
    struct sg_arena *arena;
    struct sg_directory_source_row *rows;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_directory_source_row, (size_t)count);
    list->count = (size_t)count;
    struct sg_directory_source_row *row = &list->rows[index];
    row->id = sg_row_text(r);
    row->url = sg_row_text(r);
    row->base_dn = sg_row_text(r);
    row->ca_pem = sg_row_text(r);
    row->filter = sg_row_text(r);
    row->attribute = sg_row_text(r);
    row->bind_dn = sg_row_text(r);
    row->credential = sg_row_text(r);
    row->anchor = sg_row_bytes(r);
    return true;
}

bool sg_directory_source_list(struct sg_db *db, struct sg_arena *arena,
                              struct sg_directory_source_row **rows_r, size_t *count_r,
                              struct sg_error *err)
{
    struct list list = {.arena = arena};
    if (!sg_db_read(db, arena, SG_Q_DIRECTORY_SOURCE_LIST, NULL, take, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}

struct dues {
    struct sg_arena *arena;
    struct sg_directory_source_due *rows;
    size_t count;
};

static bool take_due(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct dues *dues = arg;
    if (index == 0)
        dues->rows = SG_ARENA_ARRAY(dues->arena, struct sg_directory_source_due, (size_t)count);
    dues->count = (size_t)count;
    struct sg_directory_source_due *row = &dues->rows[index];
    row->source.id = sg_row_text(r);
    row->source.url = sg_row_text(r);
    row->source.base_dn = sg_row_text(r);
    row->source.ca_pem = sg_row_text(r);
    row->source.bind_dn = sg_row_text(r);
    row->source.credential = sg_row_text(r);
    row->failures = (int)sg_row_int(r);
    row->retry_at = sg_row_time(r);
    return true;
}

bool sg_directory_source_due(struct sg_db *db, struct sg_arena *arena,
                             struct sg_directory_source_due **rows_r, size_t *count_r,
                             struct sg_error *err)
{
    struct dues dues = {.arena = arena};
    if (!sg_db_read(db, arena, SG_Q_DIRECTORY_SOURCE_DUE, NULL, take_due, &dues, err))
        return false;
    *rows_r = dues.rows;
    *count_r = dues.count;
    return true;
}

bool sg_directory_source_succeeded(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_DIRECTORY_SOURCE_SUCCEEDED, &p, NULL, err);
}

bool sg_directory_source_failed(struct sg_tx *tx, const char *id, const char *words,
                                sg_time retry_at, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, words);
    sg_param_time(&p, retry_at);
    return sg_tx_query(tx, SG_Q_DIRECTORY_SOURCE_FAILED, &p, NULL, err);
}
