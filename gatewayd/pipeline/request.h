/*
 * Certificates by mail (REQ-44), both roles. Asking: where neither store nor directories have a
 * partner's certificate, its gateway is asked by a signed mail, through an outbox. Answering: a
 * member's signed request for our certificate. Both addresses are taken out before all rules.
 */
#ifndef SG_PIPELINE_REQUEST_H
#define SG_PIPELINE_REQUEST_H

#include "pipeline/outbound.h"

/* Is this normalised address one of those that are answered here, or that take answers? */
bool sg_request_is(const char *address);
/* A message to such an address: settles rcpt as sg_ping_answer() does. */
void sg_request_message(struct sg_message *m, const struct sg_domain_row *domain,
                        struct sg_rcpt *rcpt);

/* The group is held for want of its certificate: its domain is asked, once in a period. That it
 * cannot be is no concern of the message's: the next try asks again. */
void sg_request_want(struct sg_outbound *o, const struct sg_outbound_group *group);

/* For sg_worker: sends what is in the outbox. True where there may be more. */
bool sg_request_round(void *gateway);

/* Sends a message of ours (text: header and body, CRLF) signed and in the clear, to one recipient.
 * return_path "": the null sender. SG_E_CERT_NONE: our own domain has no valid certificate. *sent
 * is to be released once it is stored that it was sent. */
struct sg_request_envelope {
    const char *tenant, *msg_id, *purpose, *return_path, *recipient;
};
SG_MUST_USE bool sg_request_send(struct sg_gateway *gw, struct sg_arena *arena,
                                 const struct sg_request_envelope *envelope, struct sg_bytes text,
                                 struct sg_courier_sent **sent, struct sg_error *err);

/* Roles of request_answer.c and request_take.c. false: try again later. */
SG_MUST_USE bool sg_request_answer(struct sg_message *m, const struct sg_domain_row *domain,
                                   struct sg_rcpt *rcpt, struct sg_error *err);
SG_MUST_USE bool sg_request_take(struct sg_message *m, const struct sg_domain_row *domain,
                                 struct sg_rcpt *rcpt, struct sg_error *err);

#endif
