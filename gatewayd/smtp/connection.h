/* Within the folder: one connection of the client, greeted and, where asked for, under TLS. */
#ifndef SG_SMTP_CONNECTION_H
#define SG_SMTP_CONNECTION_H

#include "smtp/client.h"
#include "smtp/stream.h"

struct smtp_connection {
    struct smtp_stream stream;
    struct sg_buf line;
    bool pipelining, eightbit, smtputf8, dsn, starttls, has_size;
    uint64_t size; /* 0: no fixed limit */
    bool reused;
    int questions, refusals;      /* questions that it was used for, and addresses not taken */
    bool needs_rset;              /* the last transaction did not come to its content */
    sg_deadline expires;          /* while it is kept */
    struct smtp_connection *next; /* while it is kept */
};

/* A time-out of the options, within their end. */
static inline sg_deadline smtp_within(const struct sg_smtp_client_options *options, int64_t ms)
{
    sg_deadline own = sg_deadline_in(ms);
    return options->end && options->end < own ? options->end : own;
}

/* tls may be NULL where the destination wants none. */
SG_MUST_USE bool smtp_connection_open(const struct sg_smtp_client_options *options,
                                      const struct sg_smtp_destination *destination, SSL_CTX *tls,
                                      struct smtp_connection **connection_r, struct sg_error *err);
/* Says QUIT where that takes no waiting. */
void smtp_connection_close(struct smtp_connection **connection);
void smtp_connection_abort(struct smtp_connection **connection);
/* Nothing has come and nobody has hung up since it was last used. */
bool smtp_connection_alive(const struct smtp_connection *connection);

/* Flushes what is to be sent and reads one reply. */
SG_MUST_USE bool smtp_connection_reply(struct smtp_connection *connection,
                                       struct sg_smtp_reply *reply, sg_deadline deadline,
                                       struct sg_error *err);

#endif
