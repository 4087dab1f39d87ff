#include "pipeline/message.h"

#include "pipeline/metrics.h"
#include "schema/message.h"
#include "smtp/address.h"

#include <inttypes.h>
#include <stdlib.h>

const char *sg_message_header_from(struct sg_message *m)
{
    struct sg_mailbox *list;
    return sg_message_from(m, &list) > 0 ? list[0].address : "";
}

const char *sg_message_message_id(struct sg_message *m)
{
    const struct sg_header *field = sg_header_find(&m->headers, "Message-ID", 0);
    if (!field)
        return "";
    char *text = sg_header_unfold(m->arena, field);
    size_t n = strlen(text);
    if (n >= 2 && text[0] == '<' && text[n - 1] == '>') {
        text[n - 1] = 0;
        text++;
    }
    return n > 998 ? "" : text;
}

/* What the sender says (REQ-117, "time sent"); 0 where there is no Date field that can be read. */
static sg_time message_sent_at(const struct sg_message *m)
{
    const struct sg_header *field = sg_header_find(&m->headers, "Date", 0);
    sg_time at;
    return field && sg_date_parse(field, &at) ? at : 0;
}

size_t sg_message_from(struct sg_message *m, struct sg_mailbox **list_r)
{
    const struct sg_header *field = sg_header_find(&m->headers, "From", 0);
    size_t count = 0;
    if (!field || !sg_mailbox_list_parse(m->arena, field, list_r, &count, NULL))
        return 0;
    return count <= SG_FROM_MOST ? count : 0; /* each is looked up */
}

void sg_rcpt_decide(struct sg_rcpt *rcpt, const char *outcome, const char *verdict,
                    const char *code)
{
    rcpt->decided = true;
    rcpt->outcome = outcome;
    rcpt->verdict = verdict;
    rcpt->code = code;
}

void sg_rcpt_defer(struct sg_rcpt *rcpt, const struct sg_error *err)
{
    sg_rcpt_decide(rcpt, "deferred", "", "");
    sg_smtp_reply_error(&rcpt->reply, err);
    if (rcpt->reply.code < 400 || rcpt->reply.code >= 500)
        sg_smtp_reply_set(&rcpt->reply, 451, "4.3.0", "try again later");
}

/* A member behind others. */
static void text_add(struct sg_buf *out, const char *key, const char *value)
{
    sg_buf_addf(out, ",\"%s\":", key);
    sg_buf_add_json_string(out, sg_bytes_str(value ? value : ""));
}

static void number_add(struct sg_buf *out, const char *key, int64_t n)
{
    sg_buf_addf(out, ",\"%s\":%lld", key, (long long)n);
}

/* Returns how many there are. */
static size_t recipients_write(struct sg_buf *out, const struct sg_message *m, bool decided)
{
    size_t count = 0;
    sg_buf_adds(out, ",\"recipients\":[");
    for (size_t i = 0; i < m->rcpt_count; i++) {
        const struct sg_rcpt *r = &m->rcpts[i];
        if (r->settled || (decided && (!r->decided || r->recorded)))
            continue;
        sg_buf_adds(out, count++ ? ",{\"recipient\":" : "{\"recipient\":");
        sg_buf_add_json_string(out, sg_bytes_str(r->normalised));
        text_add(out, "domain", r->domain);
        text_add(out, "outcome", decided ? r->outcome : "received");
        text_add(out, "verdict", decided ? r->verdict : "");
        text_add(out, "code", decided ? r->code : "");
        text_add(out, "reply", decided ? r->remote : "");
        sg_buf_adds(out, "}");
    }
    sg_buf_adds(out, "]");
    return count;
}

/* What both kinds of records begin with; as text at once, since a tree of it takes longer. */
static size_t record_begin(struct sg_buf *out, const struct sg_message *m, bool decided)
{
    sg_buf_adds(out, "{\"msg_id\":");
    sg_buf_add_json_string(out, sg_bytes_str(m->msg_id));
    text_add(out, "tenant", m->tenant);
    number_add(out, "received_at", m->received_at);
    number_add(out, "at", sg_clock_now());
    return recipients_write(out, m, decided);
}

static bool outcome_append(struct sg_message *m, const char *text, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_JOURNAL);
    struct sg_journal_record record = {
        .type = SG_JOURNAL_OUTCOME, .at = m->received_at, .payload = sg_bytes_str(text)};
    return sg_journal_append(m->gw->journal, &record, m->tenant, NULL, err);
}

static bool debts_pay(struct sg_message *m, struct sg_error *err)
{
    const char *record;
    while (m->entry && (record = sg_registry_owed(m->entry))) {
        if (!outcome_append(m, record, err))
            return false;
        sg_registry_paid(m->entry);
    }
    return true;
}

/* What is larger than this is on disk before anything else is done, and its sealed form is not
 * kept. */
#define RECEIVE_LATER ((uint64_t)64 << 10)

bool sg_message_record_received(struct sg_message *m, struct sg_error *err)
{
    if (!debts_pay(m, err))
        return false;
    if (m->entry->recorded)
        return true;
    struct sg_buf text = {0};
    record_begin(&text, m, false);
    text_add(&text, "direction", m->direction);
    text_add(&text, "queue_id", m->queue_id);
    text_add(&text, "sender", m->sender);
    text_add(&text, "header_from", sg_message_header_from(m));
    text_add(&text, "message_id", sg_message_message_id(m));
    text_add(&text, "client", m->client_address);
    number_add(&text, "size", (int64_t)sg_spool_size(m->body));
    number_add(&text, "sent_at", message_sent_at(m));
    sg_buf_adds(&text, "}");
    struct sg_journal_record *record = SG_ARENA_ARRAY(m->arena, struct sg_journal_record, 1);
    *record = (struct sg_journal_record){.type = SG_JOURNAL_RECEIVED,
                                         .at = m->received_at,
                                         .payload = sg_arena_copy(m->arena, sg_buf_bytes(&text))};
    sg_buf_free(&text);
    return sg_journal_begin(m->gw->journal, record, m->tenant, m->body, &m->receipt, err) &&
           (sg_spool_size(m->body) <= RECEIVE_LATER || sg_message_on_disk(m, err));
}

bool sg_message_on_disk(struct sg_message *m, struct sg_error *err)
{
    if (!m->receipt && (!m->entry || m->entry->recorded))
        return true;
    SG_MEASURE(SG_STAGE_JOURNAL);
    struct sg_error *why = &m->why_not_on_disk; /* whoever asks again hears the same */
    if (m->receipt && sg_journal_finish(m->gw->journal, &m->receipt, why)) {
        m->entry->recorded = true;
        sg_count_message(m->direction);
        return true;
    }
    if (why->code == SG_OK)
        sg_fail(why, SG_E_JOURNAL, "what was received is not in the journal");
    *err = *why;
    return false;
}

void sg_message_sent_release(struct sg_message *m)
{
    sg_courier_release(m->gw->courier, &m->sent);
}

void sg_message_sent_move(struct sg_message *m, struct sg_courier_sent **other)
{
    sg_courier_join(other, &m->sent);
}

static void outcome_recorded(struct sg_message *m)
{
    for (size_t i = 0; i < m->rcpt_count; i++) {
        struct sg_rcpt *r = &m->rcpts[i];
        if (!r->decided || r->recorded)
            continue;
        r->recorded = true;
        sg_count_recipient(m->direction, r->outcome, r->verdict, r->code);
        if (m->entry && strcmp(r->outcome, "deferred") != 0)
            sg_registry_settle(m->entry, r->normalised);
    }
    sg_buf_clear(&m->trace.steps);
    sg_message_sent_release(m);
}

bool sg_message_record_outcome(struct sg_message *m, struct sg_error *err)
{
    if (!sg_message_on_disk(m, err))
        return false; /* nothing was done about it */
    SG_AUTO_BUF text = {0};
    bool any = record_begin(&text, m, true) > 0;
    sg_buf_adds(&text, ",\"trace\":[");
    sg_buf_add(&text, m->trace.steps.data, m->trace.steps.len);
    sg_buf_adds(&text, "]}");
    const char *record = (const char *)text.data;
    bool ok = debts_pay(m, err) && (!any || outcome_append(m, record, err));
    if (any && !ok && m->entry)
        sg_registry_owe(m->entry, record);
    if (any && (ok || m->entry))
        outcome_recorded(m);
    return ok;
}

bool sg_message_unfinished(const struct sg_message *m)
{
    for (size_t i = 0; i < m->rcpt_count; i++)
        if (!m->rcpts[i].settled && !m->rcpts[i].decided)
            return true;
    return false;
}

/* Feeding -------------------------------------------------------------------------------------- */

struct batch {
    struct sg_arena *arena;
    const char *node;
    struct sg_message_row *messages;
    struct sg_recipient_row *recipients;
    struct sg_trace_row *traces;
    size_t message_count, recipient_count, trace_count;
};

static const char *text_of(struct batch *b, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return sg_arena_strdup(b->arena, s ? s : "");
}

static sg_time time_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void message_add(struct batch *b, const json_t *o, const struct sg_journal_record *record)
{
    const char *sender = text_of(b, o, "sender");
    const char *domain = sg_address_domain(sender);
    b->messages[b->message_count++] = (struct sg_message_row){
        .id = text_of(b, o, "msg_id"),
        .received_at = time_of(o, "received_at"),
        .tenant_id = text_of(b, o, "tenant"),
        .direction = text_of(b, o, "direction"),
        .node = b->node,
        .queue_id = text_of(b, o, "queue_id"),
        .sender = sender,
        .sender_domain = domain ? domain : "",
        .header_from = text_of(b, o, "header_from"),
        .message_id = text_of(b, o, "message_id"),
        .client_address = text_of(b, o, "client"),
        .size_bytes = json_integer_value(json_object_get(o, "size")),
        .archive_ref = sg_arena_strdup(b->arena, record->archive_ref),
        .sent_at = time_of(o, "sent_at"),
    };
}

static void recipients_add(struct batch *b, const json_t *o)
{
    size_t i;
    json_t *r;
    json_array_foreach(json_object_get(o, "recipients"), i, r)
    {
        b->recipients[b->recipient_count++] = (struct sg_recipient_row){
            .msg_id = text_of(b, o, "msg_id"),
            .received_at = time_of(o, "received_at"),
            .tenant_id = text_of(b, o, "tenant"),
            .recipient = text_of(b, r, "recipient"),
            .recipient_domain = text_of(b, r, "domain"),
            .outcome = text_of(b, r, "outcome"),
            .verdict = text_of(b, r, "verdict"),
            .codes = text_of(b, r, "code"),
            .reply = text_of(b, r, "reply"),
            .outcome_at = time_of(o, "at"),
        };
    }
}

/* Text of JSON; in records of earlier versions the object itself. */
static const char *detail_of(struct batch *b, const json_t *detail)
{
    if (json_is_string(detail))
        return sg_arena_strdup(b->arena, json_string_value(detail));
    char *text = json_dumps(detail, JSON_COMPACT);
    const char *kept = sg_arena_strdup(b->arena, text ? text : "{}");
    free(text);
    return kept;
}

static void traces_add(struct batch *b, const json_t *o, const struct sg_journal_record *record)
{
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(o, "trace"), i, t)
    {
        b->traces[b->trace_count++] = (struct sg_trace_row){
            .record_id = sg_arena_copy(b->arena, sg_bytes_of(record->id, sizeof record->id)),
            .msg_id = text_of(b, o, "msg_id"),
            .received_at = time_of(o, "received_at"),
            .tenant_id = text_of(b, o, "tenant"),
            .at = time_of(t, "at"),
            .seq = (int)i,
            .step = text_of(b, t, "step"),
            .requirement = text_of(b, t, "requirement"),
            .detail = detail_of(b, json_object_get(t, "detail")),
        };
    }
}

bool sg_message_feed_records(void *gateway, const struct sg_journal_record *records, size_t count,
                             struct sg_error *err)
{
    struct sg_gateway *gw = gateway;
    SG_AUTO_ARENA arena = sg_arena_new();
    json_t **objects = SG_ARENA_ARRAY(arena, json_t *, count + 1);
    size_t recipients = 0, traces = 0;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        objects[i] =
            json_loadb((const char *)records[i].payload.data, records[i].payload.len, 0, NULL);
        ok = objects[i] != NULL ||
             sg_fail(err, SG_E_INTERNAL, "journal record is not the JSON that was written");
        recipients += json_array_size(json_object_get(objects[i], "recipients"));
        traces += json_array_size(json_object_get(objects[i], "trace"));
    }
    if (ok) {
        struct batch b = {.arena = arena, .node = gw->node};
        b.messages = SG_ARENA_ARRAY(arena, struct sg_message_row, count + 1);
        b.recipients = SG_ARENA_ARRAY(arena, struct sg_recipient_row, recipients + 1);
        b.traces = SG_ARENA_ARRAY(arena, struct sg_trace_row, traces + 1);
        for (size_t i = 0; i < count; i++) {
            if (records[i].type == SG_JOURNAL_RECEIVED)
                message_add(&b, objects[i], &records[i]);
            recipients_add(&b, objects[i]);
            traces_add(&b, objects[i], &records[i]);
        }
        struct sg_message_batch batch = {b.messages,        b.message_count, b.recipients,
                                         b.recipient_count, b.traces,        b.trace_count};
        ok = sg_message_feed(gw->db, &batch, err);
    }
    for (size_t i = 0; i < count; i++)
        json_decref(objects[i]);
    return ok;
}
