#include "schema/api_list.h"

#include "schema/api_internal.h"

static void list_take(struct sg_row *row, void *item)
{
    struct sg_api_list *l = item;
    l->id = sg_row_text(row);
    l->name = sg_row_text(row);
    l->environment = sg_row_text(row);
    l->version = sg_row_text(row);
    l->members = sg_row_int(row);
    l->changed_at = sg_row_time(row);
    l->read_at = sg_row_time(row);
    l->read_version = sg_row_text(row);
    l->read_members = sg_row_int(row);
    l->skipped = sg_row_int(row);
    l->source_url = sg_row_text(row);
    l->failed_at = sg_row_time(row);
    l->last_error = sg_row_text(row);
    l->next_at = sg_row_time(row);
    l->pending_change_id = sg_row_text(row);
}

static void change_take(struct sg_row *row, void *item)
{
    struct sg_api_list_change *c = item;
    sg_row_key(row, &c->key);
    c->list_id = sg_row_text(row);
    c->list_name = sg_row_text(row);
    c->state = sg_row_text(row);
    c->reason = sg_row_text(row);
    c->version = sg_row_text(row);
    c->source_url = sg_row_text(row);
    c->members_before = sg_row_int(row);
    c->members_after = sg_row_int(row);
    c->added = sg_row_int(row);
    c->removed = sg_row_int(row);
    c->decided_at = sg_row_time(row);
    c->decided_by = sg_row_text(row);
}

bool sg_api_list_all(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                     struct sg_api_list **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_LIST_ALL, &p, list_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_list_change_list(struct sg_tx *tx, struct sg_arena *arena,
                             const struct sg_api_list_change_filter *filter,
                             const struct sg_api_page *page, struct sg_api_list_change **rows_r,
                             size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, filter->list_id);
    sg_param_text(&p, filter->state);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_LIST_CHANGE_LIST, &p, change_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

struct item {
    const char *name;
    bool added;
};

static void item_take(struct sg_row *row, void *item)
{
    struct item *i = item;
    i->name = sg_row_text(row);
    i->added = sg_row_bool(row);
}

bool sg_api_list_change_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                             struct sg_api_list_change *row_r, struct sg_api_list_items *items_r,
                             struct sg_error *err)
{
    struct sg_params p = {0};
    size_t count = 0;
    sg_param_text(&p, id);
    if (!sg_api_row(tx, arena, SG_Q_API_LIST_CHANGE_FIND, &p, change_take, row_r,
                    "no such change of a list", err))
        return false;
    struct item *items =
        sg_api_rows(tx, arena, SG_Q_LIST_CHANGE_ITEMS, &p, item_take, sizeof *items, &count, err);
    if (!items)
        return false;
    *items_r =
        (struct sg_api_list_items){.added = SG_ARENA_ARRAY(arena, const char *, count + 1),
                                   .removed = SG_ARENA_ARRAY(arena, const char *, count + 1)};
    for (size_t i = 0; i < count; i++) {
        if (items[i].added)
            items_r->added[items_r->added_count++] = items[i].name;
        else
            items_r->removed[items_r->removed_count++] = items[i].name;
    }
    return true;
}
