/*
 * LMTP and SMTP server (RFC 2033, 5321; XFORWARD, PIPELINING, 8BITMIME, SMTPUTF8, SIZE,
 * ENHANCEDSTATUSCODES): calls upward through callbacks and knows nothing of policy or S/MIME.
 * A thread per connection, bounded; connections beyond the bound get 421.
 */
#ifndef SG_SMTP_SERVER_H
#define SG_SMTP_SERVER_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/error.h"
#include "smtp/reply.h"
#include "spool/spool.h"

#include <sys/types.h>

struct sg_smtp_server_options {
    const char *name;    /* of the listener, for logs: "outbound" */
    const char *address; /* "inet:127.0.0.1:PORT" or "unix:PATH" */
    const char *hostname;
    bool lmtp;   /* LHLO and a reply per recipient; else SMTP with one */
    mode_t mode; /* of a Unix socket */
    int max_connections;
    int max_recipients;
    int max_errors;                              /* bad commands before 421 */
    size_t max_line_bytes;                       /* of a command */
    int64_t command_timeout_ms, data_timeout_ms; /* per command; for the whole of DATA */
    struct sg_spool_limits spool;                /* max_bytes is announced as SIZE */
};

/* What XFORWARD said; "" where it said nothing or [UNAVAILABLE]. Strings live in the arena. */
struct sg_smtp_xforward {
    const char *name, *addr, *port, *proto, *helo, *ident, *source;
};

struct sg_smtp_recipient {
    const char *address; /* as given, without angle brackets, validated (RFC 5321, 6531) */
};

/* One message as it was received; everything lives in arena or body. */
struct sg_smtp_transaction {
    struct sg_arena *arena;
    const struct sg_smtp_server_options *listener;
    struct sg_smtp_xforward xforward;
    const char *sender; /* "" is the null sender */
    bool smtputf8, body_8bit;
    struct sg_smtp_recipient *recipients;
    size_t recipient_count;
    struct sg_spool *body; /* CRLF line ends, dots unstuffed, complete, not yet answered for */
};

struct sg_smtp_callbacks {
    /* Check of one command; reply stays 250 or says why not. May be NULL. */
    void (*mail)(void *ctx, const struct sg_smtp_transaction *t, struct sg_smtp_reply *reply);
    void (*rcpt)(void *ctx, const struct sg_smtp_transaction *t, const char *address,
                 struct sg_smtp_reply *reply);
    /* The message is there: fills replies[i] per recipient (LMTP) or replies[0] (SMTP). */
    void (*message)(void *ctx, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies);
    /* What the content is answered with, count replies as above: message's, or those of the session
     * itself where the content could not be kept and never went up. May be NULL. */
    void (*answered)(void *ctx, const struct sg_smtp_transaction *t,
                     const struct sg_smtp_reply *replies, size_t count);
    void *ctx;
};

struct sg_smtp_server;

/* Listens and serves in threads of its own. options and callbacks are copied; strings are not. */
SG_MUST_USE bool sg_smtp_server_start(const struct sg_smtp_server_options *options,
                                      const struct sg_smtp_callbacks *callbacks,
                                      struct sg_smtp_server **server_r, struct sg_error *err);
/* Stops accepting and says 421 to who has nothing in flight; does not wait. NULL: nothing. */
void sg_smtp_server_stop_begin(struct sg_smtp_server *server);
/* … and lets messages in flight finish (at most grace_ms), closes. Frees. */
void sg_smtp_server_stop(struct sg_smtp_server **server, int64_t grace_ms);

#endif
