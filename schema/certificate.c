#include "schema/certificate.h"

#include "schema/db_internal.h"

struct list {
    struct sg_arena *arena;
    struct sg_certificate_row *rows;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_certificate_row, (size_t)count);
    list->count = (size_t)count;
    struct sg_certificate_row *row = &list->rows[index];
    row->id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->domain_id = sg_row_text(r);
    row->key_id = sg_row_text(r);
    row->key_kind = sg_row_text(r);
    row->key_blob = sg_row_bytes(r);
    row->der = sg_row_bytes(r);
    row->chain = sg_row_bytes_array(r, &row->chain_count);
    row->not_before = sg_row_time(r);
    row->not_after = sg_row_time(r);
    row->state = sg_row_text(r);
    return true;
}

bool sg_certificate_list(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                         struct sg_certificate_row **rows_r, size_t *count_r, struct sg_error *err)
{
    struct list list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    if (!sg_db_read(db, arena, SG_Q_CERTIFICATE_LIST, &p, take, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}
