#include "schema/notice.h"

#include "schema/db_internal.h"

/* A column of the items as an array. */
#define ITEM_TEXTS(field)                                                                          \
    do {                                                                                           \
        for (size_t i = 0; i < count; i++)                                                         \
            texts[i] = items[i].field;                                                             \
        sg_param_texts(&p, arena, texts, count);                                                   \
    } while (0)

static bool add(struct sg_tx *tx, const struct sg_notice_row *row,
                const struct sg_notice_item *items, size_t count, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const char **texts = SG_ARENA_ARRAY(arena, const char *, count + 1);
    struct sg_params p = {0};
    if (count == 0)
        return true;
    sg_param_text(&p, row->id);
    sg_param_text(&p, row->msg_id);
    sg_param_text(&p, row->tenant_id);
    sg_param_text(&p, row->domain_id);
    sg_param_text(&p, row->kind);
    sg_param_text(&p, row->recipient);
    sg_param_bytes(&p, row->original);
    sg_param_bytes(&p, row->wrapped_key);
    sg_param_time(&p, row->created_at);
    sg_param_time(&p, row->next_try_at);
    sg_param_time(&p, row->received_at);
    sg_param_time_or_null(&p, items[0].retry_at);
    ITEM_TEXTS(about);
    ITEM_TEXTS(address);
    ITEM_TEXTS(code);
    ITEM_TEXTS(status);
    ITEM_TEXTS(words);
    ITEM_TEXTS(partner);
    sg_param_text(&p, row->sealed_as);
    return sg_tx_query(tx, SG_Q_NOTICE_ADD, &p, NULL, err);
}

bool sg_notice_post(struct sg_tx *tx, const struct sg_notice_post *first, struct sg_error *err)
{
    for (const struct sg_notice_post *post = first; post; post = post->next)
        if (!add(tx, &post->row, post->items, post->count, err))
            return false;
    return true;
}

static bool post_one(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_notice_post(tx, arg, err);
}

bool sg_notice_add(struct sg_db *db, const struct sg_notice_row *row,
                   const struct sg_notice_item *items, size_t count, struct sg_error *err)
{
    struct sg_notice_post post = {*row, items, count, NULL};
    return sg_db_transact(db, NULL, post_one, &post, err);
}

struct list {
    struct sg_arena *arena;
    void *rows;
    size_t count;
};

static bool take_row(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_notice_row, (size_t)count);
    list->count = (size_t)count;
    struct sg_notice_row *row = (struct sg_notice_row *)list->rows + index;
    row->id = sg_row_text(r);
    row->msg_id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->domain_id = sg_row_text(r);
    row->kind = sg_row_text(r);
    row->recipient = sg_row_text(r);
    row->codes = sg_row_text(r);
    row->original = sg_row_bytes(r);
    row->wrapped_key = sg_row_bytes(r);
    row->sealed_as = sg_row_text(r);
    row->created_at = sg_row_time(r);
    row->received_at = sg_row_time(r);
    row->stands_for = sg_row_int(r);
    row->began_at = sg_row_time(r);
    row->attempts = (int)sg_row_int(r);
    return true;
}

bool sg_notice_claim_due(struct sg_db *db, struct sg_arena *arena, sg_time now,
                         const struct sg_claim *claim, struct sg_notice_row **rows_r,
                         size_t *count_r, struct sg_error *err)
{
    struct list list = {.arena = arena};
    if (!sg_db_claim(db, arena, SG_Q_NOTICE_CLAIM_DUE, now, claim, take_row, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}

static bool take_item(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_notice_item, (size_t)count);
    list->count = (size_t)count;
    struct sg_notice_item *item = (struct sg_notice_item *)list->rows + index;
    item->address = sg_row_text(r);
    item->code = sg_row_text(r);
    item->status = sg_row_text(r);
    item->words = sg_row_text(r);
    item->retry_at = sg_row_time(r);
    item->delivered_at = sg_row_time(r);
    return true;
}

bool sg_notice_items(struct sg_db *db, struct sg_arena *arena, const char *id,
                     struct sg_notice_item **items_r, size_t *count_r, struct sg_error *err)
{
    struct list list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_text(&p, id);
    if (!sg_db_read(db, arena, SG_Q_NOTICE_ITEMS, &p, take_item, &list, err))
        return false;
    *items_r = list.rows;
    *count_r = list.count;
    return true;
}

static bool take_folded(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_notice_folded, (size_t)count);
    list->count = (size_t)count;
    struct sg_notice_folded *row = (struct sg_notice_folded *)list->rows + index;
    row->original = sg_row_bytes(r);
    row->wrapped_key = sg_row_bytes(r);
    row->sealed_as = sg_row_text(r);
    row->created_at = sg_row_time(r);
    row->addresses = sg_row_text(r);
    row->retry_at = sg_row_time(r);
    return true;
}

bool sg_notice_folded_list(struct sg_db *db, struct sg_arena *arena, const char *summary_id,
                           int most, struct sg_notice_folded **list_r, size_t *count_r,
                           struct sg_error *err)
{
    struct list list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_text(&p, summary_id);
    sg_param_int(&p, most);
    if (!sg_db_read(db, arena, SG_Q_NOTICE_FOLDED_LIST, &p, take_folded, &list, err))
        return false;
    *list_r = list.rows;
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

bool sg_notice_put_off(struct sg_db *db, const char *domain_id, const char *recipient_domain,
                       sg_time now, sg_time next_try_at, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_text(&p, recipient_domain);
    sg_param_time(&p, now);
    sg_param_time(&p, next_try_at);
    return sg_db_change(db, SG_Q_NOTICE_PUT_OFF, &p, NULL, err);
}

struct finish {
    const char *id, *state, *last_error;
    sg_time now;
};

static bool finish(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct finish *f = arg;
    struct sg_params p = {0}, q = {0};
    sg_param_text(&p, f->id);
    sg_param_text(&p, f->state);
    sg_param_text(&p, f->last_error);
    sg_param_time(&p, f->now);
    sg_param_text(&q, f->id);
    sg_param_time(&q, f->now);
    return sg_tx_query(tx, SG_Q_NOTICE_FINISH, &p, NULL, err) &&
           sg_tx_query(tx, SG_Q_NOTICE_FINISH_FOLDED, &q, NULL, err);
}

bool sg_notice_finish(struct sg_db *db, const char *id, const char *state, const char *last_error,
                      sg_time now, struct sg_error *err)
{
    struct finish f = {id, state, last_error, now};
    return sg_db_transact(db, NULL, finish, &f, err);
}
