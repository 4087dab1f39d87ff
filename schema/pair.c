#include "schema/pair.h"

struct pairs {
    struct sg_arena *arena;
    struct sg_pair *items;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct pairs *pairs = arg;
    if (index == 0)
        pairs->items = SG_ARENA_ARRAY(pairs->arena, struct sg_pair, (size_t)count);
    pairs->items[index].id = sg_row_text(r);
    pairs->items[index].tenant_id = sg_row_text(r);
    pairs->count = (size_t)count;
    return true;
}

bool sg_pairs_read(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                   const struct sg_params *params, struct sg_pair **pairs_r, size_t *count_r,
                   struct sg_error *err)
{
    struct pairs pairs = {.arena = arena};
    if (!sg_db_read(db, arena, query, params, take, &pairs, err))
        return false;
    *pairs_r = pairs.items;
    *count_r = pairs.count;
    return true;
}
