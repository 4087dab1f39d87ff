/*
 * Notices to senders: what they say (tables 2 and 4), how they look (RFC 3464, RFC 3834), and the
 * durable outbox they wait in. A notice carries the original's To, From, Date and Subject and
 * nothing else of it (REQ-77).
 */
#ifndef SG_NOTICE_NOTICE_H
#define SG_NOTICE_NOTICE_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "hsmclient/client.h"
#include "schema/notice.h"

struct sg_notice_recipient {
    const char *address; /* whom the original did not reach */
    const char *status;  /* RFC 3463, "5.1.1" */
    const char *text;    /* what was said about it, one line */
};

struct sg_notice_content {
    const char *kind;                       /* "failure", "delayed", "non-delivery" */
    const char *codes;                      /* "201", or "" */
    const char *to, *from, *date, *subject; /* the original's fields, unfolded; "" where absent */
    const char *arrival;                    /* RFC 5322 date of its receipt here */
    int hours; /* "delayed": until the next try, rounded up, at least 1 */
    struct sg_notice_recipient *recipients;
    size_t recipient_count;
};

/* Seals the content and commits it to the outbox. row carries all but original and key. */
SG_MUST_USE bool sg_notice_post(struct sg_db *db, struct sg_hsm *hsm, struct sg_notice_row *row,
                                const struct sg_notice_content *content, bool *inserted_r,
                                struct sg_error *err);
SG_MUST_USE bool sg_notice_open(struct sg_hsm *hsm, struct sg_arena *arena,
                                const struct sg_notice_row *row,
                                struct sg_notice_content *content_r, struct sg_error *err);

/*
 * The notice as a message: header fields and body (CRLF), from postmaster@domain (REQ-92) to
 * recipient, multipart/report with the human part first.
 */
void sg_notice_message(const struct sg_notice_content *content, const char *domain,
                       const char *recipient, const char *hostname, const char *notice_id,
                       sg_time now, struct sg_buf *out);

/* Table 2's UNVERIFIED MESSAGE line for a code. */
void sg_notice_unverified_text(const char *code, struct sg_buf *out);

#endif
