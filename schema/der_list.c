#include "schema/der_list.h"

struct list {
    struct sg_arena *arena;
    struct sg_bytes *ders;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->ders = SG_ARENA_ARRAY(list->arena, struct sg_bytes, (size_t)count);
    list->count = (size_t)count;
    list->ders[index] = sg_row_bytes(r);
    return true;
}

bool sg_der_list(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                 const struct sg_params *params, struct sg_bytes **ders_r, size_t *count_r,
                 struct sg_error *err)
{
    struct list list = {.arena = arena};
    if (!sg_db_read(db, arena, query, params, take, &list, err))
        return false;
    *ders_r = list.ders;
    *count_r = list.count;
    return true;
}
