/* Whom a message that came in makes us tell something: before it is delivered, and after. */
#ifndef SG_PIPELINE_INBOUND_TELL_H
#define SG_PIPELINE_INBOUND_TELL_H

#include "pipeline/inbound.h"

/*
 * Before the delivery: the recipients' postmaster of a certificate that is not good (table 1), the
 * administrator of a trigger word from outside (REQ-113), of a missing field and of the end of the
 * rules (table 2), the sender's receipt where [RSVPDR] asks for one (REQ-73). false: nothing may be
 * delivered yet.
 */
SG_MUST_USE bool sg_inbound_tell_before(struct sg_message *m, const struct sg_domain_row *domain,
                                        struct sg_rcpt **rcpts, size_t count,
                                        const struct sg_inbound_judgement *j, struct sg_error *err);
/* After it: the sender, of what the customer's server refused for good (REQ-74; where that cannot
 * be committed it is deferred, hence refused, and told of, again) or has not taken for some time
 * (REQ-184). Never the postmaster of the sending agency (REQ-95). */
void sg_inbound_tell_after(struct sg_message *m, const struct sg_domain_row *domain,
                           struct sg_rcpt **rcpts, size_t count,
                           const struct sg_inbound_judgement *j);

#endif
