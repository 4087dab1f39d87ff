#include "smtp/session_internal.h"

#include "common/log.h"

#include <stdlib.h>

#define OUTPUT_BYTES 32768 /* of replies to pipelined commands, before they are sent */

static const struct session_verb verbs[] = {
    {"LHLO", SESSION_ON_HELLO, ONLY_LMTP, cmd_hello_check, cmd_ehlo},
    {"EHLO", SESSION_ON_HELLO, ONLY_SMTP, cmd_hello_check, cmd_ehlo},
    {"HELO", SESSION_ON_HELLO, ONLY_SMTP, cmd_hello_check, cmd_helo},
    {"XFORWARD", SESSION_ON_XFORWARD, ANY_PROTOCOL, cmd_xforward_check, cmd_xforward},
    {"MAIL", SESSION_ON_MAIL, ANY_PROTOCOL, cmd_mail_check, cmd_mail},
    {"RCPT", SESSION_ON_RCPT, ANY_PROTOCOL, cmd_rcpt_check, cmd_rcpt},
    {"DATA", SESSION_ON_DATA, ANY_PROTOCOL, cmd_no_args_check, cmd_data},
    {"RSET", SESSION_ON_RESET, ANY_PROTOCOL, cmd_no_args_check, cmd_rset},
    {"NOOP", SESSION_ON_NOTHING, ANY_PROTOCOL, NULL, cmd_noop},
    {"VRFY", SESSION_ON_NOTHING, ANY_PROTOCOL, NULL, cmd_vrfy},
    {"QUIT", SESSION_ON_CLOSE, ANY_PROTOCOL, cmd_no_args_check, cmd_quit},
};

/* Where an event leads; SESSION_STATES where it may not happen (RFC 5321 §4.1.4). */
#define NO SESSION_STATES
static const enum session_state next[SESSION_STATES][SESSION_EVENTS] = {
    /* NOTHING, HELLO, XFORWARD, MAIL, RCPT, DATA, END, RESET, CLOSE */
    [SESSION_START] = {SESSION_START, SESSION_READY, NO, NO, NO, NO, NO, SESSION_START,
                       SESSION_CLOSED},
    [SESSION_READY] = {SESSION_READY, SESSION_READY, SESSION_READY, SESSION_MAIL, NO, NO, NO,
                       SESSION_READY, SESSION_CLOSED},
    [SESSION_MAIL] = {SESSION_MAIL, SESSION_READY, NO, NO, SESSION_RCPT, NO, NO, SESSION_READY,
                      SESSION_CLOSED},
    [SESSION_RCPT] = {SESSION_RCPT, SESSION_READY, NO, NO, SESSION_RCPT, SESSION_DATA, NO,
                      SESSION_READY, SESSION_CLOSED},
    [SESSION_DATA] = {NO, NO, NO, NO, NO, NO, SESSION_READY, NO, SESSION_CLOSED},
    [SESSION_CLOSED] = {NO, NO, NO, NO, NO, NO, NO, NO, SESSION_CLOSED},
};

bool session_may(const struct session *s, enum session_event event)
{
    return next[s->state][event] != NO;
}

void session_on(struct session *s, enum session_event event)
{
    if (!session_may(s, event))
        abort();
    s->state = next[s->state][event];
    if (event == SESSION_ON_HELLO || event == SESSION_ON_END || event == SESSION_ON_RESET ||
        event == SESSION_ON_CLOSE) {
        /* XFORWARD's attributes are good for one transaction. */
        memset(s->xforward, 0, sizeof s->xforward);
        sg_spool_free(&s->t.body);
        sg_arena_free(&s->t.arena);
        memset(&s->t, 0, sizeof s->t);
        s->refused = false;
    }
}

void session_answer(struct session *s, const struct sg_smtp_reply *reply)
{
    int code = reply->code, cls = code / 100;
    if (cls != 2 && cls != 4 && cls != 5) {
        code = 451;
        cls = 4;
    } else if (code == 421 && s->state != SESSION_CLOSED) {
        code = 451; /* 421 would say that we close */
    }
    if (reply->enhanced[0] == '0' + cls)
        sg_buf_addf(&s->stream.out, "%d %s %s\r\n", code, reply->enhanced, reply->text);
    else
        sg_buf_addf(&s->stream.out, "%d %d.0.0 %s\r\n", code, cls, reply->text);
}

void session_say(struct session *s, int code, const char *enhanced, const char *text)
{
    struct sg_smtp_reply reply;
    sg_smtp_reply_set(&reply, code, enhanced, "%s", text);
    session_answer(s, &reply);
}

void session_close(struct session *s, const char *enhanced, const char *text)
{
    session_on(s, SESSION_ON_CLOSE);
    session_say(s, 421, enhanced, text);
}

sg_deadline session_deadline(const struct session *s)
{
    return sg_deadline_in(s->options->command_timeout_ms);
}

static void bad_command(struct session *s, const struct sg_smtp_reply *reply)
{
    if (++s->errors <= s->options->max_errors) {
        session_answer(s, reply);
        return;
    }
    sg_log(SG_LOG_WARNING, "smtp.errors", "listener", s->options->name, NULL);
    session_close(s, "4.7.0", "too many errors");
}

/* An address that we do not take is the message's fault and not the peer's, who has others for us.
 */
static void envelope_refuse(struct session *s, const struct sg_smtp_reply *reply)
{
    s->refused = true;
    session_answer(s, reply);
}

static bool line_clean(struct sg_bytes line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] < 0x20 || line.data[i] == 0x7f)
            return false;
    return true;
}

static const struct session_verb *verb_find(const struct session *s, struct sg_bytes name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (sg_bytes_iequal(name, verbs[i].name) &&
            (verbs[i].protocol == ANY_PROTOCOL ||
             (verbs[i].protocol == ONLY_LMTP) == s->options->lmtp))
            return &verbs[i];
    return NULL;
}

static void command(struct session *s, struct sg_bytes line)
{
    struct sg_smtp_reply reply;
    const uint8_t *space = line.len ? memchr(line.data, ' ', line.len) : NULL;
    size_t n = space ? (size_t)(space - line.data) : line.len;
    struct sg_bytes args = sg_bytes_slice(line, n + 1, line.len);
    const struct session_verb *verb =
        line_clean(line) ? verb_find(s, sg_bytes_slice(line, 0, n)) : NULL;
    if (!verb) {
        sg_smtp_reply_set(&reply, 500, "5.5.2", "command not recognized");
        bad_command(s, &reply);
    } else if (!session_may(s, verb->event)) {
        sg_smtp_reply_set(&reply, 503, "5.5.1", "bad sequence of commands");
        if (s->refused)
            session_answer(s, &reply);
        else
            bad_command(s, &reply);
    } else if (verb->check && !verb->check(s, args, &reply)) {
        if (verb->event == SESSION_ON_MAIL || verb->event == SESSION_ON_RCPT)
            envelope_refuse(s, &reply);
        else
            bad_command(s, &reply);
    } else {
        verb->proceed(s);
    }
}

/* The next line; *usable_r: it is one. false: the session is over. */
static bool next_line(struct session *s, bool *usable_r)
{
    struct sg_error err;
    enum smtp_line_kind kind = SMTP_LINE_END;
    bool go_on = !s->connection || listener_wait_begin(s->connection);
    bool ok = go_on && smtp_stream_line(&s->stream, &s->line, &kind, session_deadline(s), &err);
    if (s->connection)
        listener_wait_end(s->connection);
    if (s->connection && listener_stopping(s->connection)) {
        session_close(s, "4.3.2", "shutting down");
        return false;
    }
    if (!ok || kind == SMTP_LINE_END) {
        if (!ok && err.code == SG_E_TIMEOUT)
            session_close(s, "4.4.2", "timeout exceeded");
        else
            session_on(s, SESSION_ON_CLOSE);
        return false;
    }
    *usable_r = kind == SMTP_LINE_CRLF;
    if (*usable_r)
        return true;
    struct sg_smtp_reply reply;
    sg_smtp_reply_set(&reply, 500, "5.5.2", "%s",
                      kind == SMTP_LINE_TOO_LONG ? "line too long" : "line not ended by CR LF");
    bad_command(s, &reply);
    return s->state != SESSION_CLOSED;
}

static void run(struct session *s)
{
    struct sg_error err;
    sg_buf_addf(&s->stream.out, "220 %s %s\r\n", s->options->hostname,
                s->options->lmtp ? "LMTP" : "ESMTP");
    bool usable;
    while (s->state != SESSION_CLOSED && next_line(s, &usable)) {
        if (usable)
            command(s, sg_buf_bytes(&s->line));
        if (s->stream.out.len > OUTPUT_BYTES &&
            !smtp_stream_flush(&s->stream, session_deadline(s), &err))
            break;
    }
    if (!smtp_stream_flush(&s->stream, session_deadline(s), &err))
        sg_log_error(SG_LOG_DEBUG, "smtp.peer-gone", &err, "listener", s->options->name, NULL);
}

void smtp_session_run(const struct sg_smtp_server_options *options,
                      const struct sg_smtp_callbacks *callbacks,
                      struct listener_connection *connection, int fd)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->options = options;
    s->callbacks = callbacks;
    s->connection = connection;
    smtp_stream_init(&s->stream, fd);
    sg_buf_init(&s->line, options->max_line_bytes);
    run(s);
    if (s->state != SESSION_CLOSED)
        session_on(s, SESSION_ON_CLOSE);
    smtp_stream_free(&s->stream);
    sg_buf_free(&s->line);
    free(s);
}
