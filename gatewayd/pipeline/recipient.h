/*
 * The policy service of Postfix "in": is there such a recipient? Who is unknown to his own server
 * is refused before the mail is taken, so that no report about it ever goes to a forged sender.
 */
#ifndef SG_PIPELINE_RECIPIENT_H
#define SG_PIPELINE_RECIPIENT_H

#include "smtp/policy_server.h"

/* Answers at RCPT alone; never with a header: the proof of submission is the other service's. */
void sg_recipient_decide(void *gateway, const struct sg_policy_request *request, char *action,
                         size_t size);

#endif
