#include "schema/archive.h"

#include "schema/api_internal.h"

static void take(struct sg_row *r, void *item)
{
    struct sg_archive_key_row *row = item;
    row->id = sg_row_text(r);
    row->quarter = sg_row_text(r);
    row->spki = sg_row_bytes(r);
}

bool sg_archive_key_current(struct sg_db *db, struct sg_arena *arena, sg_time now,
                            struct sg_archive_key_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, now);
    return sg_db_find(db, arena, SG_Q_ARCHIVE_KEY_CURRENT, &p, take, row_r, found_r, err);
}

static bool take_bool(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(bool *)arg = sg_row_bool(r);
    return true;
}

bool sg_archive_key_exists(struct sg_db *db, const char *quarter, bool *exists_r,
                           struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, quarter);
    *exists_r = false;
    return sg_db_read(db, NULL, SG_Q_ARCHIVE_KEY_EXISTS, &p, take_bool, exists_r, err);
}

bool sg_archive_key_insert(struct sg_tx *tx, const struct sg_archive_key_row *row, const char *kind,
                           struct sg_bytes blob, bool *inserted_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, row->id);
    sg_param_text(&p, row->quarter);
    sg_param_text(&p, kind);
    sg_param_bytes(&p, row->spki);
    sg_param_bytes(&p, blob.len ? blob : (struct sg_bytes){0});
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_ARCHIVE_KEY_INSERT, &p, &rows, err))
        return false;
    *inserted_r = rows.affected == 1;
    return true;
}

static void id_take(struct sg_row *row, void *item)
{
    *(const char **)item = sg_row_text(row);
}

bool sg_archive_keys_retire(struct sg_tx *tx, struct sg_arena *arena, int *retired_r,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    size_t count;
    sg_param_time(&p, sg_tx_now(tx));
    const char **ids =
        sg_api_rows(tx, arena, SG_Q_ARCHIVE_KEY_IDLE, &p, id_take, sizeof *ids, &count, err);
    *retired_r = 0;
    for (size_t i = 0; ids && i < count; i++) {
        SG_AUTO_ROWS rows = {0};
        struct sg_params q = {0};
        sg_param_text(&q, ids[i]);
        sg_param_time(&q, sg_tx_now(tx));
        if (!sg_tx_query(tx, SG_Q_ARCHIVE_KEY_RETIRE, &q, &rows, err))
            return false;
        *retired_r += rows.affected;
    }
    return ids != NULL;
}

static void retired_take(struct sg_row *row, void *item)
{
    struct sg_archive_retired *key = item;
    key->id = sg_row_text(row);
    const char *kind = sg_row_text(row);
    key->token = kind && strcmp(kind, "token") == 0;
}

bool sg_archive_keys_retired(struct sg_tx *tx, struct sg_arena *arena,
                             struct sg_archive_retired **rows_r, size_t *count_r,
                             struct sg_error *err)
{
    struct sg_params p = {0};
    *rows_r = sg_api_rows(tx, arena, SG_Q_ARCHIVE_KEY_RETIRED, &p, retired_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

bool sg_archive_key_destroyed(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_ARCHIVE_KEY_DESTROYED, &p, NULL, err);
}

bool sg_archive_data_key_insert(struct sg_db *db, const struct sg_archive_data_key *row,
                                struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->id);
    sg_param_text(&p, row->archive_key_id);
    sg_param_text(&p, row->node);
    sg_param_text(&p, row->tenant_id);
    sg_param_int(&p, row->day);
    sg_param_bytes(&p, row->wrapped);
    sg_param_time(&p, row->created_at);
    return sg_db_change(db, SG_Q_ARCHIVE_DATA_KEY_INSERT, &p, NULL, err);
}
