/*
 * SMTP and LMTP client (RFC 5321, 2033) with STARTTLS (RFC 3207), which keeps connections per
 * destination and bounds them ("slots"), so that one slow server takes nobody else's.
 */
#ifndef SG_SMTP_CLIENT_H
#define SG_SMTP_CLIENT_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/networks.h"
#include "smtp/reply.h"
#include "spool/spool.h"

enum sg_smtp_tls {
    SG_SMTP_TLS_NONE,
    SG_SMTP_TLS_OPPORTUNISTIC, /* STARTTLS where offered, any certificate */
    SG_SMTP_TLS_REQUIRED,      /* STARTTLS or fail, any certificate */
    SG_SMTP_TLS_VERIFIED       /* STARTTLS, certificate by CA and host name */
};

struct sg_smtp_destination {
    const char *host;
    int port;
    bool lmtp;
    enum sg_smtp_tls tls;
    const char *ca_pem;               /* VERIFIED: the CAs to trust; "" means the system's */
    const struct sg_networks *within; /* no address outside is connected to; NULL: all are good */
    const char *owner;                /* the tenant whose it is, see below; NULL or "": nobody's */
    /* 0: one of those that share connections. Else it is of this platform: it has its slots beside
     * what they share, and is waited for so long. A connection over which it said "later" ends. */
    int64_t own_wait_ms;
};

struct sg_smtp_client_options {
    const char *hostname; /* for EHLO/LHLO */
    int slots;            /* connections to one destination of an owner at the same time */
    int connections;      /* to all that share, see below; 0: any number */
    int64_t slot_wait_ms; /* for a slot; SG_E_BUSY after it, or at once where it would be longer */
    int64_t connect_timeout_ms, command_timeout_ms;
    int64_t
        data_timeout_ms; /* of all commands together, of the content, and of what is said of it */
    int64_t idle_ms;     /* a kept connection's rest before it is closed */
    int64_t end;         /* a deadline above all the times (common/deadline.h); 0: none */
};

/*
 * What destinations share: one may have another connection while what it has is less than half of
 * what is left of `connections`; a first one it may always have. So some that hang leave something
 * for everybody else, and nobody waits for what hangs. All of one owner's have no more than half of
 * `connections` together, and one server that two owners name is two destinations.
 */

/* The message: pieces that are sent one after the other. */
struct sg_smtp_piece {
    struct sg_bytes bytes;        /* these, or */
    const struct sg_spool *spool; /* this range of a spool (len UINT64_MAX: to its end) */
    uint64_t offset, len;
    /* … or what this writes, len octets: asked once, and where it fails the end is not sent. */
    bool (*source)(void *ctx, const struct sg_sink *sink, struct sg_error *err);
    void *ctx;
};

/* Octets of the message, as SIZE tells them (RFC 1870), without stuffed dots. */
uint64_t sg_smtp_pieces_size(const struct sg_smtp_piece *pieces, size_t count);

struct sg_smtp_envelope {
    const char *sender; /* "" is the null sender */
    const char *const *recipients;
    size_t recipient_count;
    /* body_8bit: BODY=8BITMIME where the server offers it. Where it does not the content is sent
     * all the same, for signed mail is not to be changed, and the replies say so (undeclared). */
    bool smtputf8, body_8bit;
    bool notify_never; /* ask for no DSN where the server offers DSN (RFC 3461) */
};

struct sg_smtp_client;

struct sg_smtp_client *sg_smtp_client_new(const struct sg_smtp_client_options *options);
void sg_smtp_client_free(struct sg_smtp_client **client);

/*
 * Sends one message. replies_r[i] is what stands for recipient i in the end: the RCPT refusal, or
 * the reply to DATA (for LMTP its own). false only where nobody was answered for: then every
 * recipient may be tried again. SG_E_BUSY: no slot; SG_E_EGRESS: its addresses
 * are outside; SG_E_SMTP_TLS; SG_E_SMTP_CONNECT: no connection, or lost before the end of the
 * content was sent; SG_E_SMTP_PEER: lost after that (the message may have been taken);
 * SG_E_INVALID: an address that is none, or a message with a bare CR or LF (SMTP smuggling), of
 * which the end was not sent. Sends CRLF line ends as they are and stuffs dots. The process ignores
 * SIGPIPE (sg_daemon_begin).
 */
SG_MUST_USE bool sg_smtp_client_send(struct sg_smtp_client *client,
                                     const struct sg_smtp_destination *destination,
                                     const struct sg_smtp_envelope *envelope,
                                     const struct sg_smtp_piece *pieces, size_t piece_count,
                                     struct sg_smtp_reply *replies_r, struct sg_error *err);

/*
 * Asks whether the server would take mail for an address: MAIL with the null sender, RCPT, RSET.
 * *reply_r is the reply to RCPT. All of it, the wait for a slot too, takes at most within_ms.
 * false: it could not be asked. SG_E_BUSY: no slot; SG_E_SMTP_TLS, SG_E_SMTP_CONNECT: no
 * connection, or lost, or not in time; SG_E_SMTP_PEER: the server does not take the null sender.
 */
SG_MUST_USE bool sg_smtp_client_ask(struct sg_smtp_client *client,
                                    const struct sg_smtp_destination *destination,
                                    const char *address, int64_t within_ms,
                                    struct sg_smtp_reply *reply_r, struct sg_error *err);

#endif
