#include "schema/member_list.h"

#include "schema/db_internal.h"

#include "common/id.h"

static void list_take(struct sg_row *r, struct sg_member_list *list)
{
    list->id = sg_row_text(r);
    list->name = sg_row_text(r);
    list->environment = sg_row_text(r);
    list->version = sg_row_text(r);
    list->members = (int)sg_row_int(r);
}

struct lists {
    struct sg_arena *arena;
    struct sg_member_list *items;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct lists *lists = arg;
    if (index == 0)
        lists->items = SG_ARENA_ARRAY(lists->arena, struct sg_member_list, (size_t)count);
    lists->count = (size_t)count;
    list_take(r, &lists->items[index]);
    return true;
}

bool sg_member_list_all(struct sg_db *db, struct sg_arena *arena, struct sg_member_list **lists_r,
                        size_t *count_r, struct sg_error *err)
{
    struct lists lists = {.arena = arena};
    if (!sg_db_read(db, arena, SG_Q_MEMBER_LIST_ALL, NULL, take, &lists, err))
        return false;
    *lists_r = lists.items;
    *count_r = lists.count;
    return true;
}

bool sg_member_list_lock(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                         struct sg_member_list *list_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, id);
    if (!sg_tx_query_one(tx, SG_Q_MEMBER_LIST_LOCK, &p, &rows, "no such list", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    list_take(&r, list_r);
    return sg_row_end(&r, err);
}

/* Rows of a name and whether it was added, as two lists. */
static bool diff_take(const struct sg_rows *rows, struct sg_arena *arena,
                      struct sg_member_diff *diff_r, struct sg_error *err)
{
    size_t most = (size_t)rows->count + 1;
    *diff_r = (struct sg_member_diff){.added = SG_ARENA_ARRAY(arena, const char *, most),
                                      .removed = SG_ARENA_ARRAY(arena, const char *, most)};
    for (int i = 0; i < rows->count; i++) {
        struct sg_row r = sg_row_at(rows, i, arena);
        const char *name = sg_row_text(&r);
        bool added = sg_row_bool(&r);
        if (!sg_row_end(&r, err))
            return false;
        if (added)
            diff_r->added[diff_r->added_count++] = name;
        else
            diff_r->removed[diff_r->removed_count++] = name;
    }
    return true;
}

bool sg_member_list_diff(struct sg_tx *tx, struct sg_arena *arena,
                         const struct sg_member_list *list, const struct sg_member_reading *reading,
                         struct sg_member_diff *diff_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, list->environment);
    sg_param_texts(&p, arena, reading->names, reading->count);
    return sg_tx_query(tx, SG_Q_MEMBER_LIST_DIFF, &p, &rows, err) &&
           diff_take(&rows, arena, diff_r, err);
}

static bool members_insert(struct sg_tx *tx, struct sg_arena *arena, const char *environment,
                           const char *const *names, size_t count, struct sg_error *err)
{
    const char **ids = SG_ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct sg_id id = sg_id_new("mem");
        ids[i] = sg_arena_strdup(arena, id.text);
    }
    struct sg_params p = {0};
    sg_param_text(&p, environment);
    sg_param_texts(&p, arena, ids, count);
    sg_param_texts(&p, arena, names, count);
    sg_param_time(&p, sg_tx_now(tx));
    return count == 0 || sg_tx_query(tx, SG_Q_MEMBER_DOMAIN_LISTED_INSERT, &p, NULL, err);
}

static bool members_delete(struct sg_tx *tx, struct sg_arena *arena, const char *environment,
                           const char *const *names, size_t count, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, environment);
    sg_param_texts(&p, arena, names, count);
    return count == 0 || sg_tx_query(tx, SG_Q_MEMBER_DOMAIN_LISTED_DELETE, &p, NULL, err);
}

bool sg_member_list_change(struct sg_tx *tx, struct sg_arena *arena,
                           const struct sg_member_list *list, const char *version,
                           const struct sg_member_diff *diff, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, list->id);
    sg_param_text(&p, version);
    sg_param_time(&p, sg_tx_now(tx));
    return members_insert(tx, arena, list->environment, diff->added, diff->added_count, err) &&
           members_delete(tx, arena, list->environment, diff->removed, diff->removed_count, err) &&
           sg_tx_query_one(tx, SG_Q_MEMBER_LIST_CHANGED, &p, NULL, "no such list", err);
}

bool sg_member_list_version(struct sg_tx *tx, const char *id, const char *version,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, version);
    return sg_tx_query_one(tx, SG_Q_MEMBER_LIST_VERSION, &p, NULL, "no such list", err);
}

bool sg_member_list_read(struct sg_tx *tx, const char *id, const struct sg_member_reading *reading,
                         struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, reading->version);
    sg_param_int(&p, (int64_t)reading->count);
    sg_param_int(&p, reading->skipped);
    sg_param_text(&p, reading->source_url);
    return sg_tx_query_one(tx, SG_Q_MEMBER_LIST_READ, &p, NULL, "no such list", err);
}

bool sg_member_list_failed(struct sg_tx *tx, const char *id, const char *words,
                           struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, words);
    return sg_tx_query_one(tx, SG_Q_MEMBER_LIST_FAILED, &p, NULL, "no such list", err);
}

bool sg_member_list_next(struct sg_tx *tx, sg_time at, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, at);
    return sg_tx_query(tx, SG_Q_MEMBER_LIST_NEXT, &p, NULL, err);
}

bool sg_list_change_standing(struct sg_tx *tx, struct sg_arena *arena, const char *list_id,
                             const char **state_r, const char **digest_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    *state_r = *digest_r = NULL;
    sg_param_text(&p, list_id);
    if (!sg_tx_query(tx, SG_Q_LIST_CHANGE_STANDING, &p, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *state_r = sg_row_text(&r);
    *digest_r = sg_row_text(&r);
    return sg_row_end(&r, err);
}

bool sg_list_change_supersede(struct sg_tx *tx, const char *list_id, bool *any_r,
                              struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, list_id);
    sg_param_time(&p, sg_tx_now(tx));
    bool ok = sg_tx_query(tx, SG_Q_LIST_CHANGE_SUPERSEDE, &p, &rows, err);
    *any_r = ok && rows.affected > 0;
    return ok;
}

bool sg_list_change_insert(struct sg_tx *tx, struct sg_arena *arena,
                           const struct sg_list_change *change, const char **id_r,
                           struct sg_error *err)
{
    const struct sg_member_reading *reading = change->reading;
    const struct sg_member_diff *diff = change->diff;
    struct sg_id id = sg_id_new("lch");
    struct sg_params p = {0}, items = {0};
    sg_param_text(&p, id.text);
    sg_param_text(&p, change->list->id);
    sg_param_text(&p, change->state);
    sg_param_text(&p, change->reason);
    sg_param_text(&p, reading->version);
    sg_param_text(&p, reading->source_url);
    sg_param_int(&p, change->list->members);
    sg_param_int(&p, (int64_t)reading->count);
    sg_param_int(&p, (int64_t)diff->added_count);
    sg_param_int(&p, (int64_t)diff->removed_count);
    sg_param_text(&p, reading->digest);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&items, id.text);
    sg_param_texts(&items, arena, diff->added, diff->added_count);
    sg_param_texts(&items, arena, diff->removed, diff->removed_count);
    *id_r = sg_arena_strdup(arena, id.text);
    return sg_tx_query_one(tx, SG_Q_LIST_CHANGE_INSERT, &p, NULL, "not inserted", err) &&
           sg_tx_query(tx, SG_Q_LIST_CHANGE_ITEMS_INSERT, &items, NULL, err);
}

static bool change_apply(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                         const struct sg_member_list *list, const char *version,
                         struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_member_diff diff;
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_tx_query(tx, SG_Q_LIST_CHANGE_ITEMS, &p, &rows, err) &&
           diff_take(&rows, arena, &diff, err) &&
           sg_member_list_change(tx, arena, list, version, &diff, err);
}

bool sg_list_change_decide(struct sg_tx *tx, struct sg_arena *arena, const char *id, bool approved,
                           const char *actor, struct sg_member_list *list_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0}, decide = {0};
    sg_param_text(&p, id);
    /* The list before the change, as tenantd does. */
    if (!sg_tx_query_one(tx, SG_Q_LIST_CHANGE_FIND, &p, &rows, "no such change of a list", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    const char *list_id = sg_row_text(&r);
    const char *version = sg_row_text(&r);
    sg_param_text(&decide, id);
    sg_param_text(&decide, approved ? "applied" : "refused");
    sg_param_time(&decide, sg_tx_now(tx));
    sg_param_text(&decide, actor);
    SG_AUTO_ROWS decided = {0};
    if (!sg_row_end(&r, err) || !sg_member_list_lock(tx, arena, list_id, list_r, err) ||
        !sg_tx_query(tx, SG_Q_LIST_CHANGE_DECIDE, &decide, &decided, err))
        return false;
    if (decided.affected == 0)
        return sg_fail(err, SG_E_CONFLICT, "this change does not wait for a decision any more");
    return !approved || change_apply(tx, arena, id, list_r, version, err);
}
