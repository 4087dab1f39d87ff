/* The journal's records on their way into PostgreSQL. */
#include "journal/reader.h"
#include "pipeline/message.h"
#include "pipeline/record.h"
#include "schema/message.h"
#include "smtp/address.h"

#include <string.h>

struct batch {
    struct sg_arena *arena;
    const char *node; /* our name now */
    struct sg_message_row *messages;
    struct sg_recipient_row *recipients;
    struct sg_trace_row *traces;
    size_t message_count, recipient_count, trace_count;
};

/* A record, opened. */
struct opened {
    const struct sg_journal_record *record;
    struct sg_record_reader reader;
    size_t recipients, steps;
};

/* What all that comes from a record begins with. */
struct head {
    const char *msg_id, *tenant;
    sg_time received_at, at;
};

static void recipient_add(struct batch *b, const struct head *h, struct sg_record_reader *r)
{
    struct sg_recipient_row *row = &b->recipients[b->recipient_count++];
    row->msg_id = h->msg_id;
    row->received_at = h->received_at;
    row->tenant_id = h->tenant;
    row->recipient = sg_record_text(r);
    row->recipient_domain = sg_record_text(r);
    row->outcome = sg_record_text(r);
    row->verdict = sg_record_text(r);
    row->codes = sg_record_text(r);
    row->reply = sg_record_text(r);
    row->outcome_at = h->at;
}

/* The one that received it, which may have had another name then. */
static const char *node_of(const struct batch *b, const struct sg_journal_record *record)
{
    char node[SG_JOURNAL_NODE_MAX + 1];
    uint64_t number, offset;
    return sg_journal_ref_parse(record->archive_ref, node, &number, &offset, NULL)
               ? sg_arena_strdup(b->arena, node)
               : b->node;
}

static void message_add(struct batch *b, const struct head *h, struct sg_record_reader *r,
                        const struct sg_journal_record *record)
{
    struct sg_message_row *row = &b->messages[b->message_count++];
    row->id = h->msg_id;
    row->received_at = h->received_at;
    row->tenant_id = h->tenant;
    row->node = node_of(b, record);
    row->direction = sg_record_text(r);
    row->queue_id = sg_record_text(r);
    row->sender = sg_record_text(r);
    row->header_from = sg_record_text(r);
    row->message_id = sg_record_text(r);
    row->client_address = sg_record_text(r);
    row->size_bytes = sg_record_number(r);
    row->sent_at = sg_record_number(r);
    row->archive_ref = record->archive_ref;
    const char *domain = sg_address_domain(row->sender);
    row->sender_domain = domain ? domain : "";
}

static void step_add(struct batch *b, const struct head *h, struct sg_record_reader *r,
                     const struct sg_journal_record *record, int seq)
{
    struct sg_trace_row *row = &b->traces[b->trace_count++];
    row->record_id = sg_bytes_of(record->id, sizeof record->id);
    row->msg_id = h->msg_id;
    row->received_at = h->received_at;
    row->tenant_id = h->tenant;
    row->seq = seq;
    row->at = sg_record_number(r);
    row->step = sg_record_text(r);
    row->requirement = sg_record_text(r);
    row->detail = sg_record_text(r);
}

static bool record_take(struct batch *b, struct opened *o, struct sg_error *err)
{
    struct sg_record_reader *r = &o->reader;
    struct head h;
    h.msg_id = sg_record_text(r);
    h.tenant = sg_record_text(r);
    h.received_at = sg_record_number(r);
    h.at = sg_record_number(r);
    for (size_t i = 0; i < o->recipients; i++)
        recipient_add(b, &h, r);
    if (o->record->type == SG_JOURNAL_RECEIVED)
        message_add(b, &h, r, o->record);
    for (size_t i = 0; i < o->steps; i++)
        step_add(b, &h, r, o->record, (int)i);
    return !r->bad || sg_fail(err, SG_E_MALFORMED, "a journal record ends too early");
}

static bool record_open(struct sg_arena *arena, const struct sg_journal_record *record,
                        struct opened *o, struct sg_error *err)
{
    struct sg_bytes converted;
    o->record = record;
    if (sg_record_open(record->payload, &o->reader, &o->recipients, &o->steps))
        return true;
    return sg_record_of_json(arena, record->payload, record->type == SG_JOURNAL_RECEIVED,
                             &converted, err) &&
           (sg_record_open(converted, &o->reader, &o->recipients, &o->steps) ||
            sg_fail(err, SG_E_MALFORMED, "a journal record of no known form"));
}

bool sg_message_feed_records(void *gateway, const struct sg_journal_record *records, size_t count,
                             struct sg_error *err)
{
    struct sg_gateway *gw = gateway;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct opened *opened = SG_ARENA_ARRAY(arena, struct opened, count + 1);
    size_t recipients = 0, traces = 0;
    for (size_t i = 0; i < count; i++) {
        if (!record_open(arena, &records[i], &opened[i], err))
            return false;
        recipients += opened[i].recipients;
        traces += opened[i].steps;
    }
    struct batch b = {.arena = arena, .node = gw->node};
    b.messages = SG_ARENA_ARRAY(arena, struct sg_message_row, count + 1);
    b.recipients = SG_ARENA_ARRAY(arena, struct sg_recipient_row, recipients + 1);
    b.traces = SG_ARENA_ARRAY(arena, struct sg_trace_row, traces + 1);
    for (size_t i = 0; i < count; i++)
        if (!record_take(&b, &opened[i], err))
            return false;
    struct sg_message_batch batch = {b.messages,        b.message_count, b.recipients,
                                     b.recipient_count, b.traces,        b.trace_count};
    return sg_message_feed(gw->db, &batch, err);
}
