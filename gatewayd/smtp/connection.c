#include "smtp/connection.h"

#include "smtp/reply_reader.h"
#include "smtp/tls.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPLY_LINE_BYTES 4096
#define QUIT_MS          50

static void offer(void *ctx, struct sg_bytes text)
{
    struct smtp_connection *c = ctx;
    const uint8_t *space = text.len ? memchr(text.data, ' ', text.len) : NULL;
    struct sg_bytes word = sg_bytes_slice(text, 0, space ? (size_t)(space - text.data) : text.len);
    struct sg_bytes rest = sg_bytes_slice(text, word.len + 1, text.len);
    c->pipelining |= sg_bytes_iequal(word, "PIPELINING");
    c->eightbit |= sg_bytes_iequal(word, "8BITMIME");
    c->smtputf8 |= sg_bytes_iequal(word, "SMTPUTF8");
    c->dsn |= sg_bytes_iequal(word, "DSN");
    c->starttls |= sg_bytes_iequal(word, "STARTTLS");
    if (!sg_bytes_iequal(word, "SIZE"))
        return;
    c->has_size = true;
    c->size = 0;
    for (size_t i = 0; i < rest.len && rest.data[i] >= '0' && rest.data[i] <= '9'; i++)
        if (__builtin_mul_overflow(c->size, 10, &c->size) ||
            __builtin_add_overflow(c->size, (uint64_t)(rest.data[i] - '0'), &c->size)) {
            c->size = 0; /* more than anybody has */
            break;
        }
}

static bool read_reply(struct smtp_connection *c, struct reply_reader *reader, sg_deadline deadline,
                       struct sg_error *err)
{
    for (;;) {
        enum smtp_line_kind kind;
        if (!smtp_stream_line(&c->stream, &c->line, &kind, deadline, err))
            return false;
        if (kind == SMTP_LINE_END)
            return sg_fail(err, SG_E_IO, "the peer closed the connection");
        enum reply_step step = kind == SMTP_LINE_TOO_LONG
                                   ? REPLY_BAD
                                   : reply_reader_line(reader, sg_buf_bytes(&c->line));
        if (step == REPLY_BAD)
            return sg_fail(err, SG_E_SMTP_PEER, "the peer's reply was not understood");
        if (step == REPLY_END)
            return true;
    }
}

bool smtp_connection_reply(struct smtp_connection *connection, struct sg_smtp_reply *reply,
                           sg_deadline deadline, struct sg_error *err)
{
    struct reply_reader reader = {.reply = reply};
    return read_reply(connection, &reader, deadline, err);
}

static bool refused(const char *what, const struct sg_smtp_reply *reply, struct sg_error *err)
{
    return sg_fail_lib(err, SG_E_SMTP_CONNECT, SG_LIB_SMTP, reply->code, "%s: %d %.200s", what,
                       reply->code, reply->text);
}

/* EHLO or LHLO; HELO for servers that know no better. */
static bool hello(struct smtp_connection *c, const struct sg_smtp_client_options *o, bool lmtp,
                  struct sg_error *err)
{
    struct sg_smtp_reply reply;
    struct reply_reader reader = {.reply = &reply, .line = offer, .ctx = c};
    c->pipelining = c->eightbit = c->smtputf8 = c->dsn = c->starttls = c->has_size = false;
    c->size = 0;
    sg_buf_addf(&c->stream.out, "%s %s\r\n", lmtp ? "LHLO" : "EHLO", o->hostname);
    if (!read_reply(c, &reader, smtp_within(o, o->command_timeout_ms), err))
        return false;
    if (reply.code / 100 == 2)
        return true;
    if (lmtp || reply.code / 100 != 5)
        return refused("the greeting was refused", &reply, err);
    sg_buf_addf(&c->stream.out, "HELO %s\r\n", o->hostname);
    return smtp_connection_reply(c, &reply, smtp_within(o, o->command_timeout_ms), err) &&
           (reply.code / 100 == 2 || refused("the greeting was refused", &reply, err));
}

static bool start_tls(struct smtp_connection *c, const struct sg_smtp_client_options *o,
                      const struct sg_smtp_destination *d, SSL_CTX *tls, struct sg_error *err)
{
    struct sg_smtp_reply reply;
    bool must = d->tls != SG_SMTP_TLS_OPPORTUNISTIC;
    if (!c->starttls)
        return !must || sg_fail(err, SG_E_SMTP_TLS, "the server does not offer STARTTLS");
    sg_buf_adds(&c->stream.out, "STARTTLS\r\n");
    if (!smtp_connection_reply(c, &reply, smtp_within(o, o->command_timeout_ms), err))
        return false;
    if (reply.code != 220)
        return !must || sg_fail_lib(err, SG_E_SMTP_TLS, SG_LIB_SMTP, reply.code,
                                    "STARTTLS was refused: %d %.200s", reply.code, reply.text);
    if (smtp_stream_input(&c->stream).len) /* clear text would be taken for the server's */
        return sg_fail(err, SG_E_SMTP_TLS, "something came before the TLS handshake");
    return smtp_tls_connect(tls, d, c->stream.fd, &c->stream.ssl,
                            smtp_within(o, o->connect_timeout_ms), err) &&
           hello(c, o, d->lmtp, err);
}

static bool greet(struct smtp_connection *c, const struct sg_smtp_client_options *o,
                  const struct sg_smtp_destination *d, SSL_CTX *tls, struct sg_error *err)
{
    struct sg_smtp_reply reply;
    return smtp_connection_reply(c, &reply, smtp_within(o, o->command_timeout_ms), err) &&
           (reply.code == 220 || refused("no welcome", &reply, err)) && hello(c, o, d->lmtp, err) &&
           (d->tls == SG_SMTP_TLS_NONE || start_tls(c, o, d, tls, err));
}

static bool may(const void *networks, const struct sockaddr *address)
{
    return sg_networks_have(networks, address);
}

bool smtp_connection_open(const struct sg_smtp_client_options *options,
                          const struct sg_smtp_destination *destination, SSL_CTX *tls,
                          struct smtp_connection **connection_r, struct sg_error *err)
{
    char address[320];
    int fd;
    const char *brackets = strchr(destination->host, ':') ? "[]" : "";
    snprintf(address, sizeof address, "inet:%.1s%.280s%s:%d", brackets, destination->host,
             *brackets ? brackets + 1 : "", destination->port);
    if (!sg_io_connect_if(address, destination->within ? may : NULL, destination->within,
                          smtp_within(options, options->connect_timeout_ms), &fd, err)) {
        if (err && err->code != SG_E_EGRESS)
            err->code = SG_E_SMTP_CONNECT;
        return false;
    }
    struct smtp_connection *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    smtp_stream_init(&c->stream, fd);
    sg_buf_init(&c->line, REPLY_LINE_BYTES);
    if (!greet(c, options, destination, tls, err)) {
        /* Whatever went wrong: no message was begun. */
        if (err && err->code != SG_E_SMTP_TLS)
            err->code = SG_E_SMTP_CONNECT;
        smtp_connection_abort(&c);
        return false;
    }
    *connection_r = c;
    return true;
}

void smtp_connection_abort(struct smtp_connection **connection)
{
    struct smtp_connection *c = *connection;
    if (!c)
        return;
    int fd = c->stream.fd;
    smtp_stream_free(&c->stream);
    close(fd);
    sg_buf_free(&c->line);
    free(c);
    *connection = NULL;
}

void smtp_connection_close(struct smtp_connection **connection)
{
    struct smtp_connection *c = *connection;
    if (!c)
        return;
    sg_buf_clear(&c->stream.out);
    sg_buf_adds(&c->stream.out, "QUIT\r\n");
    if (smtp_stream_flush(&c->stream, sg_deadline_in(QUIT_MS), NULL) && c->stream.ssl)
        SSL_shutdown(c->stream.ssl);
    smtp_connection_abort(connection);
}

bool smtp_connection_alive(const struct smtp_connection *connection)
{
    char octet;
    return smtp_stream_input(&connection->stream).len == 0 &&
           recv(connection->stream.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}
