#include "schema/message.h"

#include "schema/db_internal.h"
#include "schema/text_clean.h"

#define ADDRESS_MAX 512 /* of the domain `address` */

/*
 * A batch goes in column by column, an array a column (unnest), so that a statement serves any
 * number of rows. TEXTS and its sisters gather one field of all rows.
 */
#define TEXTS(field, limit)                                                                        \
    do {                                                                                           \
        const char **column = SG_ARENA_ARRAY(arena, const char *, count + 1);                      \
        for (size_t i = 0; i < count; i++)                                                         \
            column[i] = sg_text_clean(arena, rows[i].field, (limit));                              \
        sg_param_texts(&p, arena, column, count);                                                  \
    } while (0)
#define NUMBERS(adder, field)                                                                      \
    do {                                                                                           \
        int64_t *column = SG_ARENA_ARRAY(arena, int64_t, count + 1);                               \
        for (size_t i = 0; i < count; i++)                                                         \
            column[i] = rows[i].field;                                                             \
        adder(&p, arena, column, count);                                                           \
    } while (0)
#define BYTES(field)                                                                               \
    do {                                                                                           \
        struct sg_bytes *column = SG_ARENA_ARRAY(arena, struct sg_bytes, count + 1);               \
        for (size_t i = 0; i < count; i++)                                                         \
            column[i] = rows[i].field;                                                             \
        sg_param_bytes_array(&p, arena, column, count);                                            \
    } while (0)

static bool messages_insert(struct sg_tx *tx, struct sg_arena *arena,
                            const struct sg_message_row *rows, size_t count, struct sg_error *err)
{
    struct sg_params p = {0};
    TEXTS(id, 0);
    NUMBERS(sg_param_times, received_at);
    TEXTS(tenant_id, 0);
    TEXTS(direction, 0);
    TEXTS(node, 0);
    TEXTS(queue_id, 0);
    TEXTS(sender, ADDRESS_MAX);
    TEXTS(sender_domain, ADDRESS_MAX);
    TEXTS(header_from, ADDRESS_MAX);
    TEXTS(message_id, 1000);
    TEXTS(client_address, 0);
    NUMBERS(sg_param_ints, size_bytes);
    BYTES(body_sha256);
    TEXTS(archive_ref, 0);
    NUMBERS(sg_param_times, sent_at);
    return sg_tx_query(tx, SG_Q_MESSAGE_INSERT, &p, NULL, err);
}

static bool recipients_upsert(struct sg_tx *tx, struct sg_arena *arena,
                              const struct sg_recipient_row *rows, size_t count,
                              struct sg_error *err)
{
    struct sg_params p = {0};
    TEXTS(msg_id, 0);
    NUMBERS(sg_param_times, received_at);
    TEXTS(tenant_id, 0);
    TEXTS(recipient, ADDRESS_MAX);
    TEXTS(recipient_domain, ADDRESS_MAX);
    TEXTS(outcome, 0);
    TEXTS(verdict, 0);
    TEXTS(codes, 0);
    TEXTS(reply, 2000);
    NUMBERS(sg_param_times, outcome_at);
    return sg_tx_query(tx, SG_Q_MESSAGE_RECIPIENT_UPSERT, &p, NULL, err);
}

static bool codes_insert(struct sg_tx *tx, struct sg_arena *arena,
                         const struct sg_recipient_row *rows, size_t count, struct sg_error *err)
{
    struct sg_params p = {0};
    TEXTS(msg_id, 0);
    NUMBERS(sg_param_times, received_at);
    TEXTS(tenant_id, 0);
    TEXTS(recipient, ADDRESS_MAX);
    TEXTS(recipient_domain, ADDRESS_MAX);
    TEXTS(codes, 0);
    NUMBERS(sg_param_times, outcome_at);
    return sg_tx_query(tx, SG_Q_MESSAGE_CODE_INSERT, &p, NULL, err);
}

/* Nearly every batch has none. */
static bool any_codes(const struct sg_message_batch *b)
{
    for (size_t i = 0; i < b->recipient_count; i++)
        if (*b->recipients[i].codes)
            return true;
    return false;
}

static bool traces_insert(struct sg_tx *tx, struct sg_arena *arena, const struct sg_trace_row *rows,
                          size_t count, struct sg_error *err)
{
    struct sg_params p = {0};
    const char **details = SG_ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        details[i] = sg_json_clean(arena, rows[i].detail);
    BYTES(record_id);
    TEXTS(msg_id, 0);
    NUMBERS(sg_param_times, received_at);
    TEXTS(tenant_id, 0);
    NUMBERS(sg_param_times, at);
    NUMBERS(sg_param_ints, seq);
    TEXTS(step, 0);
    TEXTS(requirement, 0);
    sg_param_texts(&p, arena, details, count);
    return sg_tx_query(tx, SG_Q_TRACE_EVENT_INSERT, &p, NULL, err);
}

static bool feed(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct sg_message_batch *b = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    return (b->message_count == 0 ||
            messages_insert(tx, arena, b->messages, b->message_count, err)) &&
           (b->recipient_count == 0 ||
            recipients_upsert(tx, arena, b->recipients, b->recipient_count, err)) &&
           (!any_codes(b) || codes_insert(tx, arena, b->recipients, b->recipient_count, err)) &&
           (b->trace_count == 0 || traces_insert(tx, arena, b->traces, b->trace_count, err));
}

/* Of a batch that found no partition for some of its rows. */
static bool partitions(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct sg_message_batch *b = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    size_t count = 0;
    sg_time *times =
        SG_ARENA_ARRAY(arena, sg_time, b->message_count + b->recipient_count + b->trace_count + 1);
    for (size_t i = 0; i < b->message_count; i++)
        times[count++] = b->messages[i].received_at;
    for (size_t i = 0; i < b->recipient_count; i++)
        times[count++] = b->recipients[i].received_at;
    for (size_t i = 0; i < b->trace_count; i++)
        times[count++] = b->traces[i].received_at;
    times[count++] = sg_tx_now(tx); /* of what is audited by the way: what was discarded */
    struct sg_params p = {0};
    sg_param_times(&p, arena, times, count);
    return sg_tx_query(tx, SG_Q_PARTITIONS_FOR, &p, NULL, err);
}

bool sg_message_feed(struct sg_db *db, const struct sg_message_batch *batch, struct sg_error *err)
{
    struct sg_error why = {0};
    err = err ? err : &why;
    if (sg_db_transact(db, NULL, feed, (void *)batch, err))
        return true;
    bool homeless = err->code == SG_E_DB_UNAVAILABLE && strcmp(err->sqlstate, "23514") == 0;
    return homeless && sg_db_transact(db, NULL, partitions, (void *)batch, err) &&
           sg_db_transact(db, NULL, feed, (void *)batch, err);
}

static void message_take(struct sg_row *r, struct sg_message_row *row)
{
    row->id = sg_row_text(r);
    row->received_at = sg_row_time(r);
    row->tenant_id = sg_row_text(r);
    row->direction = sg_row_text(r);
    row->node = sg_row_text(r);
    row->queue_id = sg_row_text(r);
    row->sender = sg_row_text(r);
    row->sender_domain = sg_row_text(r);
    row->header_from = sg_row_text(r);
    row->message_id = sg_row_text(r);
    row->client_address = sg_row_text(r);
    row->size_bytes = sg_row_int(r);
    row->body_sha256 = sg_row_bytes(r);
    row->archive_ref = sg_row_text(r);
}

static void recipient_take(struct sg_row *r, struct sg_recipient_row *row)
{
    row->msg_id = sg_row_text(r);
    row->received_at = sg_row_time(r);
    row->tenant_id = sg_row_text(r);
    row->recipient = sg_row_text(r);
    row->recipient_domain = sg_row_text(r);
    row->outcome = sg_row_text(r);
    row->verdict = sg_row_text(r);
    row->codes = sg_row_text(r);
    row->reply = sg_row_text(r);
    row->outcome_at = sg_row_time(r);
}

struct lookup {
    struct sg_arena *arena;
    const char *queue_id, *direction, *tenant_id;
    struct sg_message_row *row;
    struct sg_recipient_row *recipients;
    size_t count;
    bool found;
};

static bool lookup_recipients(struct sg_tx *tx, struct lookup *l, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, l->row->id);
    sg_param_time(&p, l->row->received_at);
    if (!sg_tx_query(tx, SG_Q_MESSAGE_RECIPIENT_LIST, &p, &rows, err))
        return false;
    l->count = (size_t)rows.count;
    l->recipients = SG_ARENA_ARRAY(l->arena, struct sg_recipient_row, l->count + 1);
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, l->arena);
        recipient_take(&r, &l->recipients[i]);
        if (!sg_row_end(&r, err))
            return false;
    }
    return true;
}

static bool lookup(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct lookup *l = arg;
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, l->queue_id);
    sg_param_text(&p, l->direction);
    sg_param_text(&p, l->tenant_id);
    l->found = false;
    l->count = 0;
    if (!sg_tx_query(tx, SG_Q_MESSAGE_FIND_BY_QUEUE, &p, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, l->arena);
    message_take(&r, l->row);
    if (!sg_row_end(&r, err) || !lookup_recipients(tx, l, err))
        return false;
    l->found = true;
    return true;
}

bool sg_message_find_by_queue(struct sg_db *db, struct sg_arena *arena, const char *queue_id,
                              const char *direction, const char *tenant_id,
                              struct sg_message_row *row_r, struct sg_recipient_row **recipients_r,
                              size_t *recipient_count_r, bool *found_r, struct sg_error *err)
{
    struct lookup l = {.arena = arena,
                       .queue_id = queue_id,
                       .direction = direction,
                       .tenant_id = tenant_id,
                       .row = row_r};
    const struct sg_db_context bare = {.bare = true};
    if (!sg_db_transact(db, &bare, lookup, &l, err))
        return false;
    *recipients_r = l.recipients;
    *recipient_count_r = l.count;
    *found_r = l.found;
    return true;
}
