#include "schema/api_message.h"

#include "schema/api_internal.h"

static void message_take(struct sg_row *row, void *item)
{
    struct sg_api_message *m = item;
    sg_row_key(row, &m->key);
    m->tenant_id = sg_row_text(row);
    m->direction = sg_row_text(row);
    m->node = sg_row_text(row);
    m->queue_id = sg_row_text(row);
    m->sender = sg_row_text(row);
    m->header_from = sg_row_text(row);
    m->message_id = sg_row_text(row);
    m->client_address = sg_row_text(row);
    m->size_bytes = sg_row_int(row);
    m->body_sha256 = sg_row_bytes(row);
    m->sent_at = sg_row_time(row);
}

static void recipient_take(struct sg_row *row, void *item)
{
    struct sg_api_recipient *r = item;
    r->msg_id = sg_row_text(row);
    r->recipient = sg_row_text(row);
    r->outcome = sg_row_text(row);
    r->verdict = sg_row_text(row);
    r->codes = sg_row_texts(row, &r->code_count);
    r->reply = sg_row_text(row);
    r->outcome_at = sg_row_time(row);
}

static void trace_take(struct sg_row *row, void *item)
{
    struct sg_api_trace *t = item;
    sg_row_key(row, &t->key);
    t->seq = sg_row_int(row);
    t->step = sg_row_text(row);
    t->requirement = sg_row_text(row);
    t->detail = sg_row_text(row);
}

/* Gives each message the recipients that are its own, by one query for all of them. */
static bool recipients_add(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           struct sg_api_message *messages, size_t count, struct sg_error *err)
{
    const char **ids = SG_ARENA_ARRAY(arena, const char *, count + 1);
    sg_time *times = SG_ARENA_ARRAY(arena, sg_time, count + 1);
    for (size_t i = 0; i < count; i++) {
        ids[i] = messages[i].key.id;
        times[i] = messages[i].key.at;
    }
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_texts(&p, arena, ids, count);
    sg_param_times(&p, arena, times, count);
    size_t n;
    struct sg_api_recipient *all =
        sg_api_rows(tx, arena, SG_Q_API_RECIPIENT_LIST, &p, recipient_take, sizeof *all, &n, err);
    if (!all)
        return false;
    /* They come sorted by message: a run each. */
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from; to < n && strcmp(all[to].msg_id, all[from].msg_id) == 0;)
            to++;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(messages[i].key.id, all[from].msg_id) == 0) {
                messages[i].recipients = all + from;
                messages[i].recipient_count = to - from;
            }
        }
    }
    return true;
}

bool sg_api_message_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const char *id, struct sg_api_message *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    *row_r = (struct sg_api_message){0};
    return sg_api_row(tx, arena, SG_Q_API_MESSAGE_FIND, &p, message_take, row_r, "no such message",
                      err) &&
           recipients_add(tx, arena, tenant_id, row_r, 1, err);
}

/* Those rows alone; the recipients are added by the caller. */
static struct sg_api_message *search(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const struct sg_api_message_filter *f,
                                     const struct sg_api_page *page, size_t *count_r,
                                     struct sg_error *err)
{
    enum sg_query query = f->code ? SG_Q_API_MESSAGE_LIST_CODE : SG_Q_API_MESSAGE_LIST;
    if (!f->code && (f->recipient || f->recipient_domain || f->outcome || f->verdict))
        query = SG_Q_API_MESSAGE_LIST_RECIPIENT;
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_time_or_null(&p, f->from);
    sg_param_time_or_null(&p, f->to);
    sg_param_text(&p, f->direction);
    sg_param_text(&p, f->sender);
    sg_param_text(&p, f->sender_domain);
    sg_param_text(&p, f->message_id);
    sg_param_text(&p, f->queue_id);
    sg_param_text(&p, f->client);
    sg_param_text(&p, f->recipient);
    sg_param_text(&p, f->recipient_domain);
    sg_param_text(&p, f->outcome);
    sg_param_text(&p, f->verdict);
    sg_param_text(&p, f->code);
    sg_param_page(&p, page);
    return sg_api_rows(tx, arena, query, &p, message_take, sizeof(struct sg_api_message), count_r,
                       err);
}

static bool newer(const struct sg_api_message *a, const struct sg_api_message *b)
{
    return a->key.at != b->key.at ? a->key.at > b->key.at : strcmp(a->key.id, b->key.id) > 0;
}

/* A domain is the sender's or a recipient's: two searches, each by its index, merged. */
static struct sg_api_message *search_domain(struct sg_tx *tx, struct sg_arena *arena,
                                            const char *tenant_id,
                                            const struct sg_api_message_filter *filter,
                                            const struct sg_api_page *page, size_t *count_r,
                                            struct sg_error *err)
{
    struct sg_api_message_filter sent = *filter, received = *filter;
    struct sg_api_message *side[2];
    size_t count[2] = {0, 0}, most = (size_t)page->limit + 1, n = 0, at[2] = {0, 0};
    bool first = !filter->sender_domain || strcmp(filter->sender_domain, filter->domain) == 0;
    bool second =
        !filter->recipient_domain || strcmp(filter->recipient_domain, filter->domain) == 0;
    sent.sender_domain = received.recipient_domain = filter->domain;
    struct sg_api_message *merged = SG_ARENA_ARRAY(arena, struct sg_api_message, most);
    side[0] = first ? search(tx, arena, tenant_id, &sent, page, &count[0], err) : merged;
    side[1] =
        side[0] && second ? search(tx, arena, tenant_id, &received, page, &count[1], err) : side[0];
    if (!side[0] || !side[1])
        return NULL;
    while (n < most && (at[0] < count[0] || at[1] < count[1])) {
        int from =
            at[0] == count[0] || (at[1] < count[1] && newer(&side[1][at[1]], &side[0][at[0]]));
        merged[n] = side[from][at[from]++];
        if (at[!from] < count[!from] && !newer(&merged[n], &side[!from][at[!from]]))
            at[!from]++; /* the same message */
        n++;
    }
    *count_r = n;
    return merged;
}

bool sg_api_message_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const struct sg_api_message_filter *filter, const struct sg_api_page *page,
                         struct sg_api_message **rows_r, size_t *count_r, struct sg_error *err)
{
    if (!sg_tx_query(tx, SG_Q_PLAN_FOR_VALUES, NULL, NULL, err))
        return false;
    *rows_r = filter->domain ? search_domain(tx, arena, tenant_id, filter, page, count_r, err)
                             : search(tx, arena, tenant_id, filter, page, count_r, err);
    return *rows_r && recipients_add(tx, arena, tenant_id, *rows_r, *count_r, err);
}

bool sg_api_audit_read(struct sg_tx *tx, const char *tenant_id, const char *object,
                       const char *object_id, const char *parameters, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, object);
    sg_param_text(&p, object_id);
    sg_param_text(&p, parameters);
    return sg_tx_query(tx, SG_Q_AUDIT_READ, &p, NULL, err);
}

bool sg_api_trace_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const char *msg_id, const struct sg_api_page *page,
                       struct sg_api_trace **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, msg_id);
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_TRACE_LIST, &p, trace_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
