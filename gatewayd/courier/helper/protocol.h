/*
 * What gatewayd and sealgate-courier say to each other, on one machine and of one build, and what
 * the courier leaves for a later gatewayd.
 *
 * Descriptors of the courier: 0 the control socket (seqpacket), 1 its file, 2 the log. Over the
 * control socket gatewayd hands it channels (COURIER_CHANNEL with a stream socket), tells it how
 * much to log (COURIER_LEVEL, with the level), asks whether it lives (COURIER_ALIVE; the answer is
 * the same octet) and bids it good-bye (COURIER_END); an end without good-bye is gatewayd's death,
 * or its stop where it owes the journal an outcome.
 *
 * Over a channel go jobs, one after the other: head, strings (host, CAs, owner, sender, recipients,
 * each with its NUL), ids, networks, then the content in chunks: length (4), octets; length 0 ends
 * it. Only then is the job whole, and the message may be sent. The answer: head, then an error or a
 * struct sg_smtp_reply for each recipient. A further job says that the answer to the one before
 * was journaled. A channel that gatewayd has closed has nobody waiting: its message is not sent.
 */
#ifndef SG_COURIER_PROTOCOL_H
#define SG_COURIER_PROTOCOL_H

#include <stdint.h>

#define COURIER_CHANNEL 'C'
#define COURIER_END     'E'
#define COURIER_LEVEL   'L'
#define COURIER_ALIVE   'A'
#define COURIER_STRINGS (8u << 20) /* of a job, at most */
#define COURIER_MANY    100000     /* recipients */
#define COURIER_FIRST   4          /* strings before those of the recipients */
#define COURIER_ID      32

struct courier_job {
    uint64_t size; /* of the content */
    uint64_t networks_version;
    int64_t own_wait_ms;
    uint32_t strings, networks; /* octets */
    uint32_t recipients;
    int32_t port;
    uint8_t tls, lmtp, smtputf8, body_8bit, notify_never, within, unused[2];
};

struct courier_answer {
    uint32_t answered; /* 0: a struct sg_error follows */
    uint32_t recipients;
};

/*
 * The courier's file, locked (flock) while it lives: empty until gatewayd dies. Then lines: the
 * first, below, and a word with the id in hexadecimal for each recipient of what is in its hands
 * ("hand": the next hop may take it, and has not answered), was taken by the next hop ("taken") or
 * was not ("not"); the later line of an id counts. "listed" stands behind what was so at the death,
 * if all of that found room.
 */
#define COURIER_FIRST_LINE "sealgate-courier 1"

#endif
