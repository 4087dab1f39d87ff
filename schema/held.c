#include "schema/held.h"

#include "schema/db_internal.h"

struct insert {
    const struct sg_held_row *row;
    sg_held_chunk_give give;
    void *ctx;
    bool inserted;
};

static bool row_insert(struct sg_tx *tx, struct insert *in, struct sg_error *err)
{
    const struct sg_held_row *row = in->row;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, row->id);
    sg_param_text(&p, row->msg_id);
    sg_param_text(&p, row->tenant_id);
    sg_param_text(&p, row->domain_id);
    sg_param_text(&p, row->direction);
    sg_param_text(&p, row->reason);
    sg_param_text(&p, row->explanation);
    sg_param_text(&p, row->sender);
    sg_param_texts(&p, arena, row->recipients, row->recipient_count);
    sg_param_text(&p, row->recipient_domain);
    sg_param_text(&p, row->queue_id);
    sg_param_int(&p, row->size_bytes);
    sg_param_bytes(&p, row->wrapped_key);
    sg_param_time(&p, row->received_at);
    sg_param_time(&p, row->held_at);
    sg_param_time(&p, row->next_try_at);
    sg_param_time(&p, row->expires_at);
    sg_param_bool(&p, row->quarantined);
    if (!sg_tx_query(tx, SG_Q_HELD_INSERT, &p, &rows, err))
        return false;
    in->inserted = rows.affected == 1;
    return true;
}

static bool recipients_add(struct sg_tx *tx, const struct sg_held_row *row, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, row->msg_id);
    sg_param_text(&p, row->recipient_domain);
    sg_param_texts(&p, arena, row->recipients, row->recipient_count);
    if (!sg_tx_query(tx, SG_Q_HELD_ADD, &p, &rows, err))
        return false;
    return rows.affected == 1 || sg_fail(err, SG_E_HELD, "it ceased to be held just now");
}

static bool insert(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct insert *in = arg;
    if (!row_insert(tx, in, err) || (!in->inserted && !recipients_add(tx, in->row, err)))
        return false;
    for (int seq = 0; in->inserted; seq++) {
        struct sg_bytes data = {0};
        bool end = false;
        if (!in->give(in->ctx, seq, &data, &end, err))
            return false;
        if (end)
            break;
        if (data.len > SG_HELD_CHUNK_MAX)
            return sg_fail(err, SG_E_LIMIT, "a chunk of %zu bytes", data.len);
        struct sg_params p = {0};
        sg_param_text(&p, in->row->id);
        sg_param_text(&p, in->row->tenant_id);
        sg_param_int(&p, seq);
        sg_param_bytes(&p, data);
        if (!sg_tx_query(tx, SG_Q_HELD_CHUNK_INSERT, &p, NULL, err))
            return false;
    }
    return true;
}

bool sg_held_insert(struct sg_db *db, const struct sg_held_row *row, sg_held_chunk_give give,
                    void *ctx, bool *inserted_r, struct sg_error *err)
{
    struct insert in = {.row = row, .give = give, .ctx = ctx};
    if (!sg_db_transact(db, NULL, insert, &in, err))
        return false;
    *inserted_r = in.inserted;
    return true;
}

struct list {
    struct sg_arena *arena;
    struct sg_held_row *rows;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_held_row, (size_t)count);
    list->count = (size_t)count;
    struct sg_held_row *row = &list->rows[index];
    row->id = sg_row_text(r);
    row->msg_id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->domain_id = sg_row_text(r);
    row->direction = sg_row_text(r);
    row->reason = sg_row_text(r);
    row->explanation = sg_row_text(r);
    row->sender = sg_row_text(r);
    row->recipients = sg_row_texts(r, &row->recipient_count);
    row->recipient_domain = sg_row_text(r);
    row->queue_id = sg_row_text(r);
    row->size_bytes = sg_row_int(r);
    row->wrapped_key = sg_row_bytes(r);
    row->received_at = sg_row_time(r);
    row->held_at = sg_row_time(r);
    row->next_try_at = sg_row_time(r);
    row->expires_at = sg_row_time(r);
    row->attempts = (int)sg_row_int(r);
    row->quarantined = sg_row_bool(r);
    row->approved_at = sg_row_time(r);
    row->releases = (int)sg_row_int(r);
    return true;
}

bool sg_held_claim_due(struct sg_db *db, struct sg_arena *arena, sg_time now,
                       const struct sg_claim *claim, struct sg_held_row **rows_r, size_t *count_r,
                       struct sg_error *err)
{
    struct list list = {.arena = arena};
    if (!sg_db_claim(db, arena, SG_Q_HELD_CLAIM_DUE, now, claim, take, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}

static bool take_time(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(sg_time *)arg = sg_row_time(r);
    return true;
}

struct wanting {
    struct sg_arena *arena;
    struct sg_held_wanting *rows;
    size_t count;
};

static bool take_wanting(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct wanting *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_held_wanting, (size_t)count);
    list->count = (size_t)count;
    list->rows[index].name = sg_row_text(r);
    list->rows[index].domain_id = sg_row_text(r);
    list->rows[index].domain_ids = sg_row_texts(r, &list->rows[index].domain_count);
    return true;
}

static bool wanting(struct sg_db *db, enum sg_query query, struct sg_arena *arena,
                    const struct sg_held_wanting *after, int limit, struct sg_held_wanting **rows_r,
                    size_t *count_r, struct sg_error *err)
{
    struct wanting list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_text(&p, after ? after->name : "");
    sg_param_text(&p, after ? after->domain_id : "");
    sg_param_int(&p, limit);
    if (!sg_db_read(db, arena, query, &p, take_wanting, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}

bool sg_held_wanting(struct sg_db *db, struct sg_arena *arena, const struct sg_held_wanting *after,
                     int limit, struct sg_held_wanting **rows_r, size_t *count_r,
                     struct sg_error *err)
{
    return wanting(db, SG_Q_HELD_WANTING, arena, after, limit, rows_r, count_r, err);
}

bool sg_held_wanting_own(struct sg_db *db, struct sg_arena *arena,
                         const struct sg_held_wanting *after, int limit,
                         struct sg_held_wanting **rows_r, size_t *count_r, struct sg_error *err)
{
    return wanting(db, SG_Q_HELD_WANTING_OWN, arena, after, limit, rows_r, count_r, err);
}

struct woken {
    int64_t count;
    const char *last; /* the greatest id */
};

static bool take_woken(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct woken *w = arg;
    w->count = sg_row_int(r);
    w->last = sg_row_text(r);
    return true;
}

/* Each message once, though a worker may come to it, and put it off again, meanwhile. */
static bool wake(struct sg_db *db, const struct sg_held_wanting *wanting, bool own, int portion,
                 sg_time now, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct woken w = {portion, ""};
    while (w.count == portion) {
        struct sg_params p = {0};
        if (own) {
            sg_param_text(&p, wanting->domain_id);
        } else {
            sg_param_text(&p, wanting->name);
            sg_param_texts(&p, arena, wanting->domain_ids, wanting->domain_count);
        }
        sg_param_time(&p, now);
        sg_param_text(&p, w.last);
        sg_param_int(&p, portion);
        if (!sg_db_read(db, arena, own ? SG_Q_HELD_WAKE_OWN : SG_Q_HELD_WAKE, &p, take_woken, &w,
                        err))
            return false;
    }
    return true;
}

bool sg_held_wake(struct sg_db *db, const struct sg_held_wanting *wanting, int portion, sg_time now,
                  struct sg_error *err)
{
    return wake(db, wanting, false, portion, now, err);
}

bool sg_held_wake_own(struct sg_db *db, const struct sg_held_wanting *wanting, int portion,
                      sg_time now, struct sg_error *err)
{
    return wake(db, wanting, true, portion, now, err);
}

bool sg_held_next_due(struct sg_db *db, sg_time *at_r, struct sg_error *err)
{
    *at_r = 0;
    return sg_db_read(db, NULL, SG_Q_HELD_NEXT_DUE, NULL, take_time, at_r, err);
}

static bool take_count(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(int64_t *)arg = sg_row_int(r);
    return true;
}

static bool take_chunk(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(struct sg_bytes *)arg = sg_row_bytes(r);
    return true;
}

/* Each chunk is read by itself, so that no transaction stays open while it is worked on; one that
 * is gone meanwhile is an error, never an early end. */
bool sg_held_chunks(struct sg_db *db, const char *held_id, sg_held_chunk_take take_fn, void *ctx,
                    struct sg_error *err)
{
    int64_t chunks = 0;
    struct sg_params p = {0};
    sg_param_text(&p, held_id);
    if (!sg_db_read(db, NULL, SG_Q_HELD_CHUNK_COUNT, &p, take_count, &chunks, err))
        return false;
    if (chunks == 0)
        return sg_fail(err, SG_E_NOT_FOUND, "the held message is gone");
    for (int seq = 0; seq < chunks; seq++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_bytes data = {0};
        struct sg_params q = {0};
        sg_param_text(&q, held_id);
        sg_param_int(&q, seq);
        if (!sg_db_read(db, arena, SG_Q_HELD_CHUNK_FIND, &q, take_chunk, &data, err))
            return false;
        if (!data.data)
            return sg_fail(err, SG_E_NOT_FOUND, "the held message is gone");
        if (!take_fn(ctx, seq, data, err))
            return false;
    }
    return true;
}

bool sg_held_reschedule(struct sg_db *db, const struct sg_held_row *row, sg_time next_try_at,
                        const char *reason, const char *explanation, const char *last_error,
                        struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->id);
    sg_param_time(&p, next_try_at);
    sg_param_text(&p, reason);
    sg_param_text(&p, explanation);
    sg_param_text(&p, last_error);
    sg_param_int(&p, row->releases);
    return sg_db_change(db, SG_Q_HELD_RESCHEDULE, &p, NULL, err);
}

bool sg_held_quarantine(struct sg_db *db, const char *held_id, const char *reason,
                        const char *explanation, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, held_id);
    sg_param_text(&p, reason);
    sg_param_text(&p, explanation);
    return sg_db_change(db, SG_Q_HELD_QUARANTINE, &p, NULL, err);
}

static bool take_bool(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(bool *)arg = sg_row_bool(r);
    return true;
}

static bool take_size(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(int64_t *)arg = sg_row_int(r);
    return true;
}

bool sg_held_size(struct sg_db *db, const char *tenant_id, int64_t *size_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    *size_r = 0;
    return sg_db_read(db, NULL, SG_Q_HELD_SIZE, &p, take_size, size_r, err);
}

bool sg_held_is(struct sg_db *db, const char *held_id, bool *held_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, held_id);
    *held_r = false;
    return sg_db_read(db, NULL, SG_Q_HELD_IS, &p, take_bool, held_r, err);
}

struct parts {
    struct sg_arena *arena;
    struct sg_held_part *rows;
    size_t count;
};

static bool take_part(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct parts *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_held_part, (size_t)count);
    list->count = (size_t)count;
    struct sg_held_part *part = &list->rows[index];
    part->id = sg_row_text(r);
    part->state = sg_row_text(r);
    part->reason = sg_row_text(r);
    part->recipients = sg_row_texts(r, &part->recipient_count);
    return true;
}

bool sg_held_of_message(struct sg_db *db, struct sg_arena *arena, const char *msg_id,
                        struct sg_held_part **parts_r, size_t *count_r, struct sg_error *err)
{
    struct parts list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_text(&p, msg_id);
    if (!sg_db_read(db, arena, SG_Q_HELD_OF_MESSAGE, &p, take_part, &list, err))
        return false;
    *parts_r = list.rows;
    *count_r = list.count;
    return true;
}

bool sg_held_wake_next(struct sg_db *db, int portion, sg_time now, bool *more_r,
                       struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, now);
    sg_param_int(&p, portion);
    *more_r = false;
    return sg_db_read(db, NULL, SG_Q_HELD_WAKE_NEXT, &p, take_bool, more_r, err);
}

struct done {
    const char *held_id, *state;
    const char *const *recipients;
    size_t count;
    const struct sg_notice_post *notices;
    sg_time now;
    bool finished;
};

static bool done(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct done *d = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0}, q = {0};
    sg_param_text(&p, d->held_id);
    sg_param_text(&p, d->state);
    sg_param_texts(&p, arena, d->recipients, d->count);
    sg_param_time(&p, d->now);
    d->finished = false;
    if (!sg_tx_query(tx, SG_Q_HELD_DONE, &p, &rows, err))
        return false;
    if (rows.affected == 0)
        return true;
    struct sg_row row = sg_row_at(&rows, 0, arena);
    d->finished = sg_row_bool(&row);
    if (!sg_row_end(&row, err) || !sg_notice_post(tx, d->notices, err))
        return false;
    sg_param_text(&q, d->held_id);
    return !d->finished || sg_tx_query(tx, SG_Q_HELD_CHUNK_DELETE, &q, NULL, err);
}

bool sg_held_done(struct sg_db *db, const char *held_id, const char *state,
                  const char *const *recipients, size_t count, const struct sg_notice_post *notices,
                  sg_time now, bool *finished_r, struct sg_error *err)
{
    struct done d = {held_id, state, recipients, count, notices, now, false};
    if (!sg_db_transact(db, NULL, done, &d, err))
        return false;
    *finished_r = d.finished;
    return true;
}
