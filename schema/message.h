/*
 * Retention log (REQ-117) and trace, as the journal feeds them. Text that is not UTF-8 gets
 * U+FFFD, addresses beyond 512 bytes are cut: what a stranger sent never stops the feed.
 */
#ifndef SG_SCHEMA_MESSAGE_H
#define SG_SCHEMA_MESSAGE_H

#include "schema/db.h"

struct sg_message_row {
    const char *id;
    sg_time received_at;
    const char *tenant_id;
    const char *direction; /* "outbound", "inbound" */
    const char *node, *queue_id;
    const char *sender, *sender_domain; /* envelope, normalised; "" is the null sender */
    const char *header_from;
    const char *message_id; /* without angle brackets */
    const char *client_address;
    int64_t size_bytes;
    struct sg_bytes body_sha256; /* of the original; empty: none */
    const char *archive_ref;
    sg_time sent_at; /* of the Date field, as the sender claims; 0: none that can be read */
};

struct sg_recipient_row {
    const char *msg_id;
    sg_time received_at; /* of the message */
    const char *tenant_id;
    const char *recipient, *recipient_domain; /* normalised */
    const char *outcome; /* received, delivered, held, refused, deferred, discarded, expired */
    const char *verdict; /* plain, sealed, verified, unverified or "" */
    const char *codes;   /* of table 3, separated by commas: "002,103" */
    const char *reply;   /* what the next hop said */
    sg_time outcome_at;
};

struct sg_trace_row {
    struct sg_bytes record_id; /* of the journal record */
    const char *msg_id;
    sg_time received_at; /* of the message */
    const char *tenant_id;
    sg_time at;
    int seq; /* order within the record */
    const char *step, *requirement;
    const char *detail; /* a JSON object */
};

struct sg_message_batch {
    const struct sg_message_row *messages;
    size_t message_count;
    const struct sg_recipient_row *recipients; /* in the order in which they happened */
    size_t recipient_count;
    const struct sg_trace_row *traces;
    size_t trace_count;
};
/*
 * Writes a batch in one transaction; the same may come again. An outcome never replaces a later
 * one, and a final one (delivered, refused, discarded) stays, but that delivered replaces the
 * others. Months without a partition get one.
 */
SG_MUST_USE bool sg_message_feed(struct sg_db *db, const struct sg_message_batch *batch,
                                 struct sg_error *err);

/*
 * The newest message of a Postfix queue id and tenant, with the outcomes of its recipients (count
 * with recipients of every state), to recognise retries and to answer bounces. codes is as above.
 */
SG_MUST_USE bool sg_message_find_by_queue(struct sg_db *db, struct sg_arena *arena,
                                          const char *queue_id, const char *direction,
                                          const char *tenant_id, struct sg_message_row *row_r,
                                          struct sg_recipient_row **recipients_r,
                                          size_t *recipient_count_r, bool *found_r,
                                          struct sg_error *err);

#endif
