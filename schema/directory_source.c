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
