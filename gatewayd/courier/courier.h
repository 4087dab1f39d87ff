/*
 * Sending on through a process of its own, sealgate-courier, so that nothing is sent twice when
 * gatewayd is killed: SMTP leaves it open whether the next hop has a message until its 250 is heard
 * (RFC 5321 §4.5.4.1), and here somebody else hears it. The courier has the whole message before it
 * sends the end of it; when gatewayd dies it waits for the answers, leaves them in a file, and
 * ends. The next gatewayd reads it (sg_courier_fate) and takes what was taken for sent.
 *
 * A courier that dies or hangs while gatewayd lives is replaced; what was in its hands may have
 * been taken, as when a connection is lost.
 */
#ifndef SG_COURIER_COURIER_H
#define SG_COURIER_COURIER_H

#include "common/metrics.h"
#include "smtp/client.h"

#define SG_COURIER_ID 32

struct sg_courier;

struct sg_courier_options {
    const char *program; /* path of sealgate-courier */
    const char *dir;     /* of its files; made, 0700, for one gatewayd at a time */
    int64_t keep_ms;     /* files are kept so long: more than a message is tried again for */
    struct sg_smtp_client_options client; /* without an end */
    int64_t alive_ms; /* one that gives no sign of life for so long is killed; 0: never */
    int log_level;
    bool confine; /* it gives up system calls that it does not need (confine/confine.h) */
};

/* Reads what earlier ones left, and starts one. SG_E_IO. */
SG_MUST_USE bool sg_courier_start(const struct sg_courier_options *options,
                                  struct sg_courier **courier_r, struct sg_error *err);
/* Not all that was sent is journaled: at the stop it keeps what it heard for the next gatewayd, as
 * if this one had been killed. */
void sg_courier_keep(struct sg_courier *courier);
/* Nobody may be sending. */
void sg_courier_stop(struct sg_courier **courier);

void sg_courier_log_level(struct sg_courier *courier, int level);

/* Earlier ones have said what was in their hands (for which they need a moment after a death);
 * before that a fate cannot be known. After half a minute nothing is waited for any more. */
bool sg_courier_listed(struct sg_courier *courier);

enum sg_courier_fate {
    SG_COURIER_UNKNOWN, /* it was not sent, or nobody heard whether it was taken */
    SG_COURIER_PENDING, /* the next hop may take it yet: an earlier courier waits for its answer */
    SG_COURIER_TAKEN
};
/* What became of that message for that recipient under an earlier gatewayd. */
enum sg_courier_fate sg_courier_fate(struct sg_courier *courier, const uint8_t id[SG_COURIER_ID]);
/* false: there is no need to ask, all is unknown. */
bool sg_courier_knows(struct sg_courier *courier);

/* Messages whose answers are not journaled yet. */
struct sg_courier_sent;

/*
 * As sg_smtp_client_send, of which it has the errors; SG_E_IO besides: there is no courier. ids:
 * one a recipient, the same whenever this message is tried again for it. What was answered is
 * added to *sent, which is to be released once it is in the journal.
 */
SG_MUST_USE bool sg_courier_send(struct sg_courier *courier, struct sg_courier_sent **sent,
                                 const struct sg_smtp_destination *destination,
                                 const struct sg_smtp_envelope *envelope,
                                 const uint8_t (*ids)[SG_COURIER_ID],
                                 const struct sg_smtp_piece *pieces, size_t piece_count,
                                 struct sg_smtp_reply *replies_r, struct sg_error *err);
/* How long that may take, towards a destination with that own wait. */
int64_t sg_courier_longest_ms(const struct sg_courier *courier, int64_t own_wait_ms);
/* Moves all of *more to *sent. */
void sg_courier_join(struct sg_courier_sent **sent, struct sg_courier_sent **more);
/* Takes NULL and nulls the pointer. */
void sg_courier_release(struct sg_courier *courier, struct sg_courier_sent **sent);

/* Of the whole process. */
extern struct sg_metric *const sg_courier_metrics[];

#endif
