/*
 * Certificates asked for and sent by mail (REQ-44): what such a mail looks like, and what lies in
 * one that came. Nothing that is read here is trusted: it is a candidate, and judged as any other.
 */
#ifndef SG_REQUEST_REQUEST_H
#define SG_REQUEST_REQUEST_H

#include "common/arena.h"
#include "common/budget.h"
#include "common/buf.h"
#include "common/clock.h"
#include "mime/header.h"

#include <openssl/x509.h>

/* Local parts: who is asked (the source names it), and where our own requests take their answers.
 */
#define SG_REQUEST_ASKED    "domain-certificate-request"
#define SG_REQUEST_ANSWERED "domain-certificate-answer"

/* Is this normalised address one of these of some domain? */
bool sg_request_is_asked(const char *address);
bool sg_request_is_answered(const char *address);

struct sg_request_limits {
    size_t max_bytes; /* what is beyond is not looked at */
    size_t max_parts, max_depth, max_certificates;
    struct sg_header_limits headers; /* of a part; one with more has no certificate */
};
/*
 * The certificates in a message's attachments: .cer, .crt, .p7b, .p7c and the types that go with
 * them, in DER, PEM or base64. Each once at most as it comes; a part that cannot be read has none.
 * Those behind the end of the budget (may be NULL) are not looked at. NULL only without memory; to
 * be freed with sk_X509_pop_free().
 */
STACK_OF(X509) *sg_request_certificates(struct sg_arena *arena,
                                        const struct sg_header_block *headers, struct sg_bytes body,
                                        const struct sg_request_limits *limits,
                                        struct sg_budget *budget);

/* Which address a Subject asks for, normalised: without white space and angle brackets, lower case.
 * "" where it is none. */
const char *sg_request_target(struct sg_arena *arena, const char *subject);

/* A message that is to be signed: header and body, lines of 7-bit text ended by CRLF. */
struct sg_request_mail {
    const char *id, *hostname; /* of its Message-ID */
    const char *from_domain;   /* ours */
    const char *to;
    const char *in_reply_to; /* without angle brackets, "" for none */
    sg_time date;
};
/* To ask partner's gateway for the certificate of its domain confidentiality authority. */
void sg_request_write(const struct sg_request_mail *mail, const char *partner, struct sg_buf *out);
/* The certificate as .cer, and with the CAs above it as .p7c. */
SG_MUST_USE bool sg_request_answer_write(const struct sg_request_mail *mail, X509 *certificate,
                                         STACK_OF(X509) *chain, struct sg_buf *out,
                                         struct sg_error *err);

#endif
