/*
 * A message on its way: what was received, whose it is, and what becomes of each recipient.
 */
#ifndef SG_PIPELINE_MESSAGE_H
#define SG_PIPELINE_MESSAGE_H

#include "pipeline/gateway.h"
#include "pipeline/registry.h"
#include "pipeline/trace.h"
#include "policy/policy.h"
#include "smtp/reply.h"
#include "smtp/server.h"

/* Of one transaction. So many outcomes and a full trace (SG_TRACE_MAX) fit into a record. */
#define SG_MESSAGE_RECIPIENTS_MAX 2000

struct sg_rcpt {
    size_t index;                    /* in the SMTP transaction */
    const char *address;             /* as given */
    const char *normalised, *domain; /* lower case */
    bool settled;                    /* an earlier transaction of this message saw to it */
    bool decided;                    /* outcome is set */
    bool recorded;                   /* … and in the journal, or owed to it */
    const char *outcome; /* of message_recipient: "delivered", "held", "refused", "deferred" */
    const char *verdict; /* "plain", "sealed", "verified", "opened", "unverified", "" */
    const char *code;    /* of table 3 or "" */
    struct sg_smtp_reply reply; /* for Postfix */
    const char *remote;         /* what the next hop said, for the record */
};

struct sg_message {
    struct sg_gateway *gw;
    struct sg_arena *arena;
    const char *direction; /* "outbound", "inbound" */
    const char *tenant;
    const char *msg_id;
    sg_time received_at, now;
    int64_t until; /* a deadline, after which no further delivery is begun; 0: none */
    const char *queue_id;
    const char *sender;      /* normalised: to compare */
    const char *return_path; /* the same as it was given: to send */
    const char *client_address, *client_name;
    bool smtputf8; /* its header needs it (RFC 6532), whatever was asked for */
    bool body_8bit;
    int64_t began; /* sg_even_now() when its data had come */
    bool even;     /* its reply waits for the time of all that fail (even.h) */
    bool dry;      /* it is only asked what would become of it: nothing is stored, sent or learnt */
    const struct sg_spool *body;
    struct sg_budget budget;       /* of the opening, then of the reading of its text */
    struct sg_spool_sum taken_out; /* sg_message_taken_out() */
    struct sg_header_block headers;
    struct sg_rcpt *rcpts;
    size_t rcpt_count;
    struct sg_trace trace;
    struct sg_registry_entry *entry; /* NULL: what is tried again out of PostgreSQL */
    struct journal_append *receipt;  /* `received`, on its way to the disk */
    struct sg_error why_not_on_disk; /* where it did not get there */
    const char *purpose; /* of a message of ours about this one: tells its sendings from this one's
                            and from others'; NULL: it is the message itself */
    struct sg_courier_sent *sent; /* whose outcome is not journaled yet */
    /* Between two deliveries, where what was sent is kept elsewhere than with Postfix; or NULL. */
    bool (*settle)(struct sg_message *m, const void *ctx, struct sg_error *err);
    const void *settle_ctx;
    /* The notices about it wait here for the transaction of what they tell of, which posts them. */
    bool gathers;
    struct sg_notice_post *gathered;
};

/* The outcome of what was sent is on disk, here or in PostgreSQL: the courier may forget it. */
void sg_message_sent_release(struct sg_message *m);
/* What was sent for m is on disk no sooner than what was sent for other. */
void sg_message_sent_move(struct sg_message *m, struct sg_courier_sent **other);

/* Where the spools count that hold what is taken out of the message: layers, objects in it. */
struct sg_spool_sum *sg_message_taken_out(struct sg_message *m);

/* From and Message-ID as they are recorded. */
const char *sg_message_header_from(struct sg_message *m);
const char *sg_message_message_id(struct sg_message *m);
/* The mailboxes of the first From: their number (0 where there is no field that can be read, or
 * more of them than may be). */
size_t sg_message_from(struct sg_message *m, struct sg_mailbox **list_r);

/*
 * Journals what the entry owes and begins to journal `received` with the original, unless the entry
 * says it was. Deciding may go on meanwhile; before anything is sent, stored or answered because of
 * the message, sg_message_on_disk() must have said yes (invariant 1).
 */
SG_MUST_USE bool sg_message_record_received(struct sg_message *m, struct sg_error *err);
/* May something be begun with it yet? SG_E_TIMEOUT: its time is up. */
SG_MUST_USE bool sg_message_in_time(const struct sg_message *m, struct sg_error *err);
/* Waits until `received` is on disk; at once true where it was, or where nothing is received. */
SG_MUST_USE bool sg_message_on_disk(struct sg_message *m, struct sg_error *err);
/*
 * Journals `outcome` of the recipients that were decided since the last time, with the trace, and
 * settles them. Where the journal does not take it the entry owes it: what was sent is not sent
 * again, and is not answered for before it is journaled.
 */
SG_MUST_USE bool sg_message_record_outcome(struct sg_message *m, struct sg_error *err);
/* Is a recipient left that was neither settled nor decided? */
bool sg_message_unfinished(const struct sg_message *m);
/* The journal's feed: into retention and trace. */
bool sg_message_feed_records(void *gateway, const struct sg_journal_record *records, size_t count,
                             struct sg_error *err);

void sg_rcpt_decide(struct sg_rcpt *rcpt, const char *outcome, const char *verdict,
                    const char *code);
/* Deferred with the error's own reply: Postfix keeps it. */
void sg_rcpt_defer(struct sg_rcpt *rcpt, const struct sg_error *err);

#endif
