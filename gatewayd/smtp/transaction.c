#include "smtp/transaction.h"

#include "smtp/data.h"

#include <stdlib.h>

#define PIPELINED_MAX 50 /* commands before their replies are read: neither side's buffers fill */
#define OUTPUT_BYTES  32768

enum verb { VERB_RSET, VERB_MAIL, VERB_RCPT, VERB_DATA };

struct transaction {
    struct smtp_connection *c;
    const struct sg_smtp_client_options *options;
    const struct sg_smtp_envelope *envelope;
    bool lmtp;
    uint64_t size;
    struct sg_smtp_reply *replies;
    enum { PENDING, ACCEPTED, ANSWERED } * recipients;
    size_t accepted, answered;
    struct {
        enum verb verb;
        size_t recipient;
    } sent[PIPELINED_MAX];
    size_t sent_count;
    bool refused;            /* MAIL or DATA was, for everybody left */
    bool closing;            /* the peer said 421 */
    bool go_ahead;           /* it said 354 */
    bool content, dot, lost; /* content was begun, its end perhaps sent, the connection failed */
    bool undeclared;         /* it was of 8 bits, which the peer does not offer to take */
    sg_deadline envelope_deadline; /* of all commands */
    sg_deadline data_deadline;     /* of the content */
};

static void answer(struct transaction *t, size_t i, const struct sg_smtp_reply *reply)
{
    t->replies[i] = *reply;
    t->recipients[i] = ANSWERED;
    t->answered++;
}

static void answer_rest(struct transaction *t, const struct sg_smtp_reply *reply)
{
    for (size_t i = 0; i < t->envelope->recipient_count; i++)
        if (t->recipients[i] != ANSWERED)
            answer(t, i, reply);
}

static void take_reply(struct transaction *t, enum verb verb, size_t recipient,
                       const struct sg_smtp_reply *reply)
{
    bool good = reply->code / 100 == 2;
    if (reply->code == 421) {
        t->closing = true;
        answer_rest(t, reply);
    } else if (verb == VERB_RCPT && !t->refused) {
        if (good) {
            t->recipients[recipient] = ACCEPTED;
            t->accepted++;
        } else {
            answer(t, recipient, reply);
        }
    } else if (verb == VERB_DATA && reply->code == 354) {
        t->go_ahead = true;
    } else if ((verb == VERB_MAIL && !good) || (verb == VERB_DATA && !t->refused)) {
        t->refused = true;
        answer_rest(t, reply);
    }
}

/* A 250 to DATA would otherwise pass for a delivery. */
static bool fits(enum verb verb, const struct sg_smtp_reply *reply, struct sg_error *err)
{
    int cls = reply->code / 100;
    if (verb == VERB_DATA ? reply->code == 354 || cls > 3 : cls != 3)
        return true;
    return sg_fail(err, SG_E_SMTP_PEER, "a reply of %d does not fit the command", reply->code);
}

/* Reads the replies to all that was sent. */
static bool drain(struct transaction *t, struct sg_error *err)
{
    for (size_t i = 0; i < t->sent_count && !t->closing; i++) {
        struct sg_smtp_reply reply;
        sg_deadline own = sg_deadline_in(t->options->command_timeout_ms);
        if (!smtp_connection_reply(t->c, &reply,
                                   own < t->envelope_deadline ? own : t->envelope_deadline, err) ||
            !fits(t->sent[i].verb, &reply, err)) {
            t->lost = true;
            return false;
        }
        take_reply(t, t->sent[i].verb, t->sent[i].recipient, &reply);
    }
    t->sent_count = 0;
    return true;
}

/* A command is in the output: waits for its reply, or not yet. */
static bool sent(struct transaction *t, enum verb verb, size_t recipient, struct sg_error *err)
{
    t->sent[t->sent_count].verb = verb;
    t->sent[t->sent_count++].recipient = recipient;
    return (t->c->pipelining && t->sent_count < PIPELINED_MAX) || drain(t, err);
}

static bool send_mail(struct transaction *t, struct sg_error *err)
{
    const struct sg_smtp_envelope *e = t->envelope;
    struct sg_buf *out = &t->c->stream.out;
    if (t->c->needs_rset) {
        sg_buf_adds(out, "RSET\r\n");
        if (!sent(t, VERB_RSET, 0, err))
            return false;
    }
    sg_buf_addf(out, "MAIL FROM:<%s>", e->sender);
    if (t->c->has_size)
        sg_buf_addf(out, " SIZE=%llu", (unsigned long long)t->size);
    if (t->c->eightbit && e->body_8bit)
        sg_buf_adds(out, " BODY=8BITMIME");
    if (t->c->smtputf8 && e->smtputf8)
        sg_buf_adds(out, " SMTPUTF8");
    sg_buf_adds(out, "\r\n");
    return sent(t, VERB_MAIL, 0, err);
}

/* One that is slow gets the message for those whom it has taken; the retry brings the others. */
static bool half_over(const struct transaction *t)
{
    return t->accepted && sg_deadline_left(t->envelope_deadline) < t->options->data_timeout_ms / 2;
}

static void answer_later(struct transaction *t, size_t first)
{
    struct sg_smtp_reply reply;
    sg_smtp_reply_set(&reply, 451, "4.4.2", "the next hop takes recipients slowly, the rest later");
    for (size_t i = first; i < t->envelope->recipient_count; i++)
        answer(t, i, &reply);
}

static bool send_envelope(struct transaction *t, struct sg_error *err)
{
    const struct sg_smtp_envelope *e = t->envelope;
    struct sg_buf *out = &t->c->stream.out;
    if (!send_mail(t, err))
        return false;
    for (size_t i = 0; i < e->recipient_count && !t->refused && !t->closing; i++) {
        if (half_over(t)) {
            answer_later(t, i);
            break;
        }
        sg_buf_addf(out, "RCPT TO:<%s>%s\r\n", e->recipients[i],
                    t->c->dsn && e->notify_never ? " NOTIFY=NEVER" : "");
        if (!sent(t, VERB_RCPT, i, err))
            return false;
    }
    if (!t->refused && !t->closing && (t->sent_count || t->accepted)) {
        sg_buf_adds(out, "DATA\r\n");
        if (!sent(t, VERB_DATA, 0, err))
            return false;
    }
    return drain(t, err);
}

static bool has_8bit(const uint8_t *data, size_t len)
{
    uint8_t all = 0;
    for (size_t i = 0; i < len; i++)
        all |= data[i];
    return all & 0x80;
}

static bool content_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct transaction *t = ctx;
    t->undeclared |= !t->c->eightbit && t->envelope->body_8bit && has_8bit(data, len);
    sg_buf_add(&t->c->stream.out, data, len);
    if (t->c->stream.out.len < OUTPUT_BYTES)
        return true;
    t->lost = !smtp_stream_flush(&t->c->stream, t->data_deadline, err);
    return !t->lost;
}

static bool writer_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return smtp_data_writer_add(ctx, sg_bytes_of(data, len), err);
}

static bool send_content(struct transaction *t, const struct sg_smtp_piece *pieces, size_t count,
                         struct sg_error *err)
{
    struct smtp_data_writer writer;
    struct sg_sink sink = {writer_write, &writer};
    t->content = true;
    t->data_deadline = sg_deadline_in(t->options->data_timeout_ms);
    smtp_data_writer_init(&writer, (struct sg_sink){content_write, t});
    for (size_t i = 0; i < count; i++) {
        const struct sg_smtp_piece *p = &pieces[i];
        if (!(p->source  ? p->source(p->ctx, &sink, err)
              : p->spool ? sg_spool_copy(p->spool, p->offset, p->len, &sink, err)
                         : smtp_data_writer_add(&writer, p->bytes, err)))
            return false;
    }
    /* It would pass for the reply to the content, of which the peer has not seen the end. */
    if (smtp_stream_peek(&t->c->stream) == '2') {
        t->lost = true;
        return sg_fail(err, SG_E_SMTP_PEER, "it says that it has taken what was not sent yet");
    }
    /* From here on the peer may take the message, whatever we hear of it. */
    t->dot = smtp_data_writer_end(&writer, err);
    if (t->dot && smtp_stream_flush(&t->c->stream, t->data_deadline, err))
        return true;
    t->lost = t->lost || t->dot;
    return false;
}

/* LMTP: a reply for each recipient that was accepted, in their order (RFC 2033 §4.2). */
static bool final_replies(struct transaction *t, struct sg_error *err)
{
    sg_deadline deadline = sg_deadline_in(t->options->data_timeout_ms);
    for (size_t i = 0; i < t->envelope->recipient_count; i++) {
        struct sg_smtp_reply reply;
        if (t->recipients[i] != ACCEPTED)
            continue;
        if (!smtp_connection_reply(t->c, &reply, deadline, err) ||
            (reply.code / 100 == 3 &&
             !sg_fail(err, SG_E_SMTP_PEER, "the reply to the content was %d", reply.code))) {
            t->lost = true;
            return false;
        }
        t->closing |= reply.code == 421;
        reply.undeclared = t->undeclared;
        if (!t->lmtp) {
            answer_rest(t, &reply);
            return true;
        }
        answer(t, i, &reply);
    }
    return true;
}

/* What can be said without asking. */
static bool answered_at_once(struct transaction *t)
{
    struct sg_smtp_reply reply;
    if (t->envelope->smtputf8 && !t->c->smtputf8)
        sg_smtp_reply_set(&reply, 550, "5.6.7", "the next hop does not offer SMTPUTF8");
    else if (t->c->has_size && t->c->size && t->size > t->c->size)
        sg_smtp_reply_set(&reply, 552, "5.3.4", "the next hop takes messages up to %llu bytes",
                          (unsigned long long)t->c->size);
    else
        return false;
    answer_rest(t, &reply);
    return true;
}

static enum smtp_outcome failed(struct transaction *t, struct sg_error *err)
{
    if (!t->lost) /* our own: what we were given is not to be sent */
        return SMTP_FAILED;
    if (t->c->reused && !t->content && !t->answered)
        return SMTP_STALE;
    /* SMTP_PEER says that the message may have been taken, and nothing else does. */
    err->code = t->dot ? SG_E_SMTP_PEER : SG_E_SMTP_CONNECT;
    if (!t->answered)
        return SMTP_FAILED;
    struct sg_smtp_reply reply;
    sg_smtp_reply_set(&reply, 451, "4.4.2",
                      t->dot ? "no reply, the message may have been taken: %s"
                             : "connection lost: %s",
                      err->detail);
    answer_rest(t, &reply);
    return SMTP_ANSWERED_CLOSE;
}

static enum smtp_outcome transact(struct transaction *t, const struct sg_smtp_piece *pieces,
                                  size_t piece_count, struct sg_error *err)
{
    if (answered_at_once(t))
        return SMTP_ANSWERED;
    if (!send_envelope(t, err))
        return failed(t, err);
    if (t->closing && t->c->reused && !t->accepted)
        return SMTP_STALE;
    t->c->needs_rset = true;
    if (t->closing || (t->go_ahead && !t->accepted))
        return SMTP_ANSWERED_CLOSE; /* 354 for nobody: hang up rather than send (RFC 2033 §4.2) */
    if (!t->go_ahead)
        return SMTP_ANSWERED;
    if (!send_content(t, pieces, piece_count, err) || !final_replies(t, err))
        return failed(t, err);
    t->c->needs_rset = false;
    return t->closing ? SMTP_ANSWERED_CLOSE : SMTP_ANSWERED;
}

uint64_t sg_smtp_pieces_size(const struct sg_smtp_piece *pieces, size_t count)
{
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (!pieces[i].spool) {
            size += pieces[i].source ? pieces[i].len : pieces[i].bytes.len;
            continue;
        }
        uint64_t all = sg_spool_size(pieces[i].spool);
        uint64_t left = pieces[i].offset < all ? all - pieces[i].offset : 0;
        size += pieces[i].len < left ? pieces[i].len : left;
    }
    return size;
}

enum smtp_outcome smtp_transact(struct smtp_connection *connection,
                                const struct sg_smtp_client_options *options, bool lmtp,
                                const struct sg_smtp_envelope *envelope,
                                const struct sg_smtp_piece *pieces, size_t piece_count,
                                struct sg_smtp_reply *replies, struct sg_error *err)
{
    struct transaction t = {.c = connection,
                            .options = options,
                            .envelope = envelope,
                            .lmtp = lmtp,
                            .size = sg_smtp_pieces_size(pieces, piece_count),
                            .envelope_deadline = sg_deadline_in(options->data_timeout_ms),
                            .replies = replies};
    t.recipients = calloc(envelope->recipient_count, sizeof *t.recipients);
    if (!t.recipients)
        abort();
    memset(replies, 0, envelope->recipient_count * sizeof *replies);
    enum smtp_outcome outcome = transact(&t, pieces, piece_count, err);
    free(t.recipients);
    return outcome;
}
