/*
 * Notices: what they say (tables 2 and 4), how they look (RFC 3464, RFC 3834), whom they may answer
 * (REQ-93). A notice carries the original's To, From, Date and Subject and nothing else of it
 * (REQ-77); of what another server said it has the status code, in our own words.
 */
#ifndef SG_NOTICE_NOTICE_H
#define SG_NOTICE_NOTICE_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"
#include "hsmclient/client.h"
#include "mime/header.h"
#include "schema/notice.h"

enum sg_notice_kind {
    /* To senders, in the form of RFC 3464 */
    SG_NOTICE_FAILURE,      /* table 2, sending: it was not sent */
    SG_NOTICE_DELAYED,      /* table 2, sending: it is held */
    SG_NOTICE_NON_DELIVERY, /* table 4: REQ-74 */
    SG_NOTICE_RECEIPT,      /* table 4: REQ-73 */
    SG_NOTICE_WAITING,      /* the recipient's server does not take it just now (REQ-184) */
    /* To a domain's own postmaster or administrator */
    SG_NOTICE_UNVERIFIED,     /* table 1, receiving */
    SG_NOTICE_SYSTEM_FAILURE, /* table 2: the end of the rules, 009 */
    SG_NOTICE_SYSTEM_WARNING, /* table 2: verified, without X-NZ-Secure-email */
    SG_NOTICE_QUARANTINE,     /* REQ-110 */
    SG_NOTICE_BREACH,         /* REQ-113 */
    /* To the postmaster of the agency that was written to */
    SG_NOTICE_CERTIFICATE, /* table 1, sending: a certificate that nobody trusts was passed over */
    SG_NOTICE_KINDS
};
const char *sg_notice_kind_name(enum sg_notice_kind kind); /* "non-delivery" */
bool sg_notice_kind_find(const char *name, enum sg_notice_kind *kind_r);

/* REQ-77: the original's fields, unfolded; "" where absent. */
struct sg_notice_original {
    const char *to, *from, *date, *subject;
};
/* Seals them as id, for the outbox. */
SG_MUST_USE bool sg_notice_seal(struct sg_hsm *hsm, const char *id,
                                const struct sg_notice_original *original, struct sg_buf *sealed,
                                struct sg_buf *wrapped_key, struct sg_error *err);
SG_MUST_USE bool sg_notice_open(struct sg_hsm *hsm, struct sg_arena *arena, const char *sealed_as,
                                struct sg_bytes sealed, struct sg_bytes wrapped_key,
                                struct sg_notice_original *original_r, struct sg_error *err);

struct sg_notice {
    enum sg_notice_kind kind;
    const char *id, *hostname;
    const char *domain;    /* it comes from this domain's postmaster (REQ-92) */
    const char *recipient; /* it goes to */
    sg_time created_at;
    bool brief;           /* without explanations: the domain's choice */
    const char *addition; /* the domain's own text (REQ-78), or "" */
};

/* A notice about one message as a message: header fields and body, lines ended by CRLF. */
struct sg_notice_about {
    struct sg_notice_original original;
    sg_time received_at; /* the message, here; 0: not known */
    const struct sg_notice_item *items;
    size_t item_count;
};
void sg_notice_message(const struct sg_notice *notice, const struct sg_notice_about *about,
                       struct sg_buf *out);

/* A summary of many of a kind (REQ-94): it counts all, and lists the first of them. */
struct sg_notice_line {
    struct sg_notice_original original;
    const char *addresses; /* whom it concerned */
};
struct sg_notice_summary {
    const char *codes; /* "201, 202", or "" */
    int64_t stands_for;
    sg_time began_at, retry_at; /* retry_at 0: not known */
    const struct sg_notice_line *lines;
    size_t line_count;
};
void sg_notice_summary_message(const struct sg_notice *notice,
                               const struct sg_notice_summary *summary, struct sg_buf *out);

/*
 * The text in front of unverified mail (REQ-78, 79): table 2's line with the codes ("003", or
 * "101, 111"), what they mean unless brief, why it is so here (one line, or ""), the domain's own
 * addition. Lines end in CRLF.
 */
struct sg_notice_warning {
    const char *codes, *reason, *addition;
    bool brief;
};
void sg_notice_warning_text(const struct sg_notice_warning *warning, struct sg_buf *out);

/* A sentence about a code of table 3; NULL: not one of them. */
const char *sg_notice_code_words(const char *code);
/*
 * Our words for why a server did not take a message (REQ-74), out of its enhanced status (RFC 3463,
 * "" where it gave none) and its reply's code. *status_r is what the report says, of class 5.
 */
const char *sg_notice_reason(const char *enhanced, int code, char status_r[12]);

/*
 * May a notice answer this message (REQ-93, RFC 3834)? NULL: yes; else why not, in words. sender is
 * the envelope's, normalised. Never answered: the null sender, postmasters however written, other
 * notices, what was sent by a machine and says so.
 */
const char *sg_notice_no_answer(struct sg_arena *arena, const char *sender,
                                const struct sg_header_block *headers);
/* Is it of an address that mail systems answer from, postmaster or mailer-daemon, by its envelope
 * or by a From? */
bool sg_notice_from_postmaster(struct sg_arena *arena, const char *sender,
                               const struct sg_header_block *headers);
/* Was it sent to many at once (a list's, Precedence: bulk)? Nobody waits for a receipt of it. */
bool sg_notice_is_bulk(struct sg_arena *arena, const struct sg_header_block *headers);

/* What a report of Postfix's (RFC 3464) says: whom it failed to reach, and of what message. */
struct sg_notice_failure {
    const char *recipient, *status; /* status "" where it is not given */
    bool replied;                   /* a server said so: Postfix had a connection */
};
struct sg_notice_field {
    const char *name, *value;
};
struct sg_notice_report {
    const char *queue_id; /* of the message, in that Postfix; "" where it is not given */
    struct sg_notice_failure *failures;
    size_t failure_count;
    /* Out of the part that returns the message's header: those that a notice shows and those by
     * which sg_notice_no_answer() judges, each as often as it is there. */
    struct sg_notice_field *fields;
    size_t field_count;
};
/* *report_r has no failures where it is no such report. Bounded by what is given to it. */
void sg_notice_report_read(struct sg_arena *arena, const struct sg_header_block *headers,
                           struct sg_bytes body, struct sg_notice_report *report_r);

#endif
