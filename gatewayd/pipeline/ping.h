/*
 * The ping responder (REQ-96 to 99): each domain answers at an address of its own, before all rules
 * and without them. The answer is signed and encrypted, or there is none.
 */
#ifndef SG_PIPELINE_PING_H
#define SG_PIPELINE_PING_H

#include "pipeline/message.h"
#include "schema/domain.h"

/* Is this normalised address the one that answers? */
bool sg_ping_is(const struct sg_gateway *gw, const char *address);

/*
 * Answers m's sender, where m is signed by a domain under an accredited CA or encrypted to this
 * domain, and settles rcpt: delivered (answered), discarded (nobody to be answered; the trace says
 * why) or deferred.
 */
void sg_ping_answer(struct sg_message *m, const struct sg_domain_row *domain, struct sg_rcpt *rcpt);

#endif
