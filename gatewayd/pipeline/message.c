#include "pipeline/message.h"

#include "common/deadline.h"
#include "pipeline/metrics.h"
#include "pipeline/record.h"
#include "smtp/address.h"

/* An envelope, a signature in it and the mended lines, which may be twice as long, go into it. */
#define TAKEN_OUT_TIMES 4

struct sg_spool_sum *sg_message_taken_out(struct sg_message *m)
{
    m->taken_out.max_bytes = TAKEN_OUT_TIMES * m->gw->spool.max_bytes;
    return &m->taken_out;
}

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
    return count <= m->gw->max_from ? count : 0; /* each is looked up */
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

/* Is there something to say of it: that it is there, or what was decided? */
static bool has_news(const struct sg_rcpt *r, bool decided)
{
    return !r->settled && (!decided || (r->decided && !r->recorded));
}

/* What both kinds of records begin with. Returns how many recipients there are. */
static size_t record_begin(struct sg_buf *out, const struct sg_message *m, bool decided,
                           size_t steps)
{
    size_t count = 0;
    for (size_t i = 0; i < m->rcpt_count; i++)
        count += has_news(&m->rcpts[i], decided);
    sg_record_begin(out, count, steps);
    sg_record_add_text(out, m->msg_id);
    sg_record_add_text(out, m->tenant);
    sg_record_add_number(out, m->received_at);
    sg_record_add_number(out, sg_clock_now());
    for (size_t i = 0; i < m->rcpt_count; i++) {
        const struct sg_rcpt *r = &m->rcpts[i];
        if (!has_news(r, decided))
            continue;
        sg_record_add_text(out, r->normalised);
        sg_record_add_text(out, r->domain);
        sg_record_add_text(out, decided ? r->outcome : "received");
        sg_record_add_text(out, decided ? r->verdict : "");
        sg_record_add_text(out, decided ? r->code : "");
        sg_record_add_text(out, decided ? r->remote : "");
    }
    return count;
}

static bool outcome_append(struct sg_message *m, struct sg_bytes text, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_JOURNAL);
    struct sg_journal_record record = {
        .type = SG_JOURNAL_OUTCOME, .at = m->received_at, .payload = text};
    return sg_journal_append(m->gw->journal, &record, m->tenant, NULL, err);
}

static bool debts_pay(struct sg_message *m, struct sg_error *err)
{
    struct sg_bytes record;
    while (m->entry && sg_registry_owed(m->entry, &record)) {
        if (!outcome_append(m, record, err))
            return false;
        struct sg_courier_sent *sent = NULL;
        sg_registry_paid(m->entry, &sent);
        sg_courier_release(m->gw->courier, &sent);
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
    record_begin(&text, m, false, 0);
    sg_record_add_text(&text, m->direction);
    sg_record_add_text(&text, m->queue_id);
    sg_record_add_text(&text, m->sender);
    sg_record_add_text(&text, sg_message_header_from(m));
    sg_record_add_text(&text, sg_message_message_id(m));
    sg_record_add_text(&text, m->client_address);
    sg_record_add_number(&text, (int64_t)sg_spool_size(m->body));
    sg_record_add_number(&text, message_sent_at(m));
    struct sg_journal_record *record = SG_ARENA_ARRAY(m->arena, struct sg_journal_record, 1);
    *record = (struct sg_journal_record){.type = SG_JOURNAL_RECEIVED,
                                         .at = m->received_at,
                                         .payload = sg_arena_copy(m->arena, sg_buf_bytes(&text))};
    sg_buf_free(&text);
    return sg_journal_begin(m->gw->journal, record, m->tenant, m->body, &m->receipt, err) &&
           (sg_spool_size(m->body) <= RECEIVE_LATER || sg_message_on_disk(m, err));
}

bool sg_message_in_time(const struct sg_message *m, struct sg_error *err)
{
    return !m->until || sg_deadline_left(m->until) > 0 ||
           sg_fail(err, SG_E_TIMEOUT, "the message's time is up");
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
        if (strcmp(r->outcome, "deferred") == 0)
            continue; /* counted when it is answered (receive.c), and asked about again */
        sg_count_recipient(m->direction, r->outcome, r->verdict, r->code);
        if (m->entry)
            sg_registry_settle(m->entry, r->normalised,
                               r->reply.code / 100 == 5 ? r->remote : NULL);
    }
    sg_trace_clear(&m->trace);
    sg_message_sent_release(m);
}

bool sg_message_record_outcome(struct sg_message *m, struct sg_error *err)
{
    if (!sg_message_on_disk(m, err))
        return false; /* nothing was done about it */
    SG_AUTO_BUF text = {0};
    bool any = record_begin(&text, m, true, m->trace.count) > 0;
    sg_buf_add(&text, m->trace.steps.data, m->trace.steps.len);
    struct sg_bytes record = sg_buf_bytes(&text);
    bool ok = debts_pay(m, err) && (!any || outcome_append(m, record, err));
    if (any && !ok && m->entry)
        sg_registry_owe(m->entry, record, &m->sent);
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
