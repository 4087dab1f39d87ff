#include "schema/figures.h"

#include "schema/db_internal.h"

struct list {
    struct sg_arena *arena;
    struct sg_figure *items;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->items = SG_ARENA_ARRAY(list->arena, struct sg_figure, (size_t)count);
    list->count = (size_t)count;
    struct sg_figure *figure = &list->items[index];
    figure->name = sg_row_text(r);
    figure->label = sg_row_text(r);
    figure->value = sg_row_int(r);
    return true;
}

bool sg_figures_read(struct sg_db *db, struct sg_arena *arena, sg_time now,
                     struct sg_figure **figures_r, size_t *count_r, struct sg_error *err)
{
    struct list list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_time(&p, now);
    if (!sg_db_read(db, arena, SG_Q_FIGURES, &p, take, &list, err))
        return false;
    *figures_r = list.items;
    *count_r = list.count;
    return true;
}
