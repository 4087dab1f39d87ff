/*
 * Telling people what became of a message: the one place of the pipeline that posts notices. Each
 * function commits to the outbox before it returns (unless the message gathers them), and nobody is
 * told twice of the same recipient of the same message: Postfix's retries and a crash repeat
 * nothing. True also where nobody may be told (REQ-93); false: try again later, and do not answer
 * 250.
 */
#ifndef SG_PIPELINE_TELL_H
#define SG_PIPELINE_TELL_H

#include "notice/notice.h"
#include "pipeline/message.h"
#include "schema/domain.h"

/* What a notice is about: recipients of one message. */
struct sg_tell {
    struct sg_message *m;
    const struct sg_domain_row *domain; /* ours: its postmaster writes (REQ-92), its policy holds */
    struct sg_rcpt **rcpts;
    size_t count;
    const char *partner; /* the other side's domain where it is a member's, else "": storms are
                            folded by it (REQ-94), and a stranger must not choose it */
};

/* Table 1, sending: held until retry_at. To the sender, the sender's own postmaster, and the
 * administrator that the domain's policy names. */
SG_MUST_USE bool sg_tell_delayed(const struct sg_tell *t, const char *code, sg_time retry_at,
                                 struct sg_error *err);
/* Table 2, sending: it was not, and will not be sent. To the sender; where nobody may answer the
 * sender, to the sender's own postmaster. */
SG_MUST_USE bool sg_tell_failure(const struct sg_tell *t, const char *code, struct sg_error *err);
/* REQ-74, 75: the recipients' server refused, for the reason in rcpt->remote. To the sender, if it
 * is authenticated or the domain's policy tells others too. */
SG_MUST_USE bool sg_tell_undelivered(const struct sg_tell *t, bool authenticated,
                                     struct sg_error *err);
/* REQ-184: the recipients' server has not taken it for some time, for the reason in rcpt->remote.
 * To the sender; for those who are authenticated alone. */
SG_MUST_USE bool sg_tell_waiting(const struct sg_tell *t, struct sg_error *err);
/* REQ-73, 75: a receipt is wanted. Called before the delivery: the outbox sends it once the
 * retention log says that the recipients' server has taken the message, and else drops it. */
SG_MUST_USE bool sg_tell_receipt(const struct sg_tell *t, bool authenticated, struct sg_error *err);
/* Table 1, receiving: a certificate was not good. To the recipients' own postmaster. */
SG_MUST_USE bool sg_tell_unverified(const struct sg_tell *t, const char *code,
                                    struct sg_error *err);
/* SG_NOTICE_QUARANTINE, BREACH (by policy: REQ-113), SYSTEM_FAILURE, SYSTEM_WARNING. To the
 * administrator of our domain. words: ours, one line ("the trigger word SECRET"), or "". */
SG_MUST_USE bool sg_tell_administrator(const struct sg_tell *t, enum sg_notice_kind kind,
                                       const char *code, const char *words, struct sg_error *err);
/* Table 1, sending: a certificate of no trusted authority was passed over for another one. To the
 * postmaster of the domain that was written to. */
SG_MUST_USE bool sg_tell_partner(const struct sg_tell *t, const char *partner_domain,
                                 struct sg_error *err);

#endif
