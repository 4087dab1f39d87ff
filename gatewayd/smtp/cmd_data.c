#include "common/log.h"
#include "smtp/data.h"
#include "smtp/session_internal.h"

/* Reads to the end of the content, whatever becomes of it. false: the session is over. */
static bool read_content(struct session *s, struct smtp_data_reader *reader)
{
    struct sg_error err;
    sg_deadline deadline = sg_deadline_in(s->options->data_timeout_ms);
    while (reader->state != SMTP_DATA_DONE) {
        bool end = false;
        if (sg_deadline_left(deadline) == 0 && !sg_fail(&err, SG_E_TIMEOUT, "data"))
            break;
        if (smtp_stream_input(&s->stream).len == 0 &&
            (!smtp_stream_fill(&s->stream, &end, deadline, &err) ||
             (end && !sg_fail(&err, SG_E_IO, "connection closed"))))
            break;
        size_t n = smtp_data_reader_feed(reader, smtp_stream_input(&s->stream));
        smtp_stream_consume(&s->stream, n);
    }
    if (reader->state == SMTP_DATA_DONE)
        return true;
    sg_log_error(SG_LOG_WARNING, "smtp.data-lost", &err, "listener", s->options->name, "queue_id",
                 s->t.xforward.ident, NULL);
    if (err.code == SG_E_TIMEOUT)
        session_close(s, "4.4.2", "timeout exceeded");
    else
        session_on(s, SESSION_ON_CLOSE);
    return false;
}

/* What is wrong with the content; false where the message goes up. */
static bool content_refused(struct session *s, const struct smtp_data_reader *reader,
                            struct sg_smtp_reply *reply)
{
    const struct sg_error *err = &reader->error;
    if (reader->failed && err->code == SG_E_LIMIT)
        sg_smtp_reply_set(reply, 552, "5.3.4", "message larger than %llu bytes",
                          (unsigned long long)s->options->spool.max_bytes);
    else if (reader->failed)
        sg_smtp_reply_error(reply, err);
    else if (reader->bare)
        sg_smtp_reply_set(reply, 550, "5.6.11", "the message has a CR or LF on its own");
    else
        return false;
    sg_log(SG_LOG_WARNING, "smtp.content-refused", "listener", s->options->name, "queue_id",
           s->t.xforward.ident, "reply", reply->text, "detail", reader->failed ? err->detail : NULL,
           NULL);
    return true;
}

/* LMTP answers per recipient (RFC 2033 §4.2), SMTP once. */
static void answer_content(struct session *s, const struct smtp_data_reader *reader)
{
    struct sg_smtp_transaction *t = &s->t;
    struct sg_smtp_reply refusal;
    struct sg_smtp_reply *replies =
        SG_ARENA_ARRAY(t->arena, struct sg_smtp_reply, t->recipient_count);
    size_t count = s->options->lmtp ? t->recipient_count : 1;
    bool refused = content_refused(s, reader, &refusal);
    for (size_t i = 0; i < t->recipient_count; i++) {
        if (refused)
            replies[i] = refusal;
        else /* what the callback does not answer for is not taken */
            sg_smtp_reply_set(&replies[i], 451, "4.3.0", "internal error");
    }
    if (!refused)
        s->callbacks->message(s->callbacks->ctx, t, replies);
    if (s->callbacks->answered)
        s->callbacks->answered(s->callbacks->ctx, t, replies, count);
    for (size_t i = 0; i < count; i++)
        session_answer(s, &replies[i]);
}

void cmd_data(struct session *s)
{
    struct smtp_data_reader reader;
    if (smtp_stream_input(&s->stream).len) {
        /* Nobody can tell whether that is content or commands (RFC 2920 §3.1). */
        session_say(s, 503, "5.5.0", "content came before it was asked for");
        session_on(s, SESSION_ON_CLOSE);
        return;
    }
    session_on(s, SESSION_ON_DATA);
    s->t.body = sg_spool_new(&s->options->spool);
    smtp_data_reader_init(&reader, sg_spool_sink(s->t.body));
    sg_buf_adds(&s->stream.out, "354 End data with <CR><LF>.<CR><LF>\r\n");
    if (!read_content(s, &reader))
        return;
    answer_content(s, &reader);
    session_on(s, SESSION_ON_END);
}
