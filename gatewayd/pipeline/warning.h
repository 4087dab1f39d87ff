/*
 * Unverified mail: delivered with the warning of table 2, never unmarked. By plan and policy the
 * message is attached behind it, follows it intact, stands before it (a list server's) or is left
 * out. What was decrypted without proof of integrity is attached so that no client renders it,
 * whatever the policy.
 */
#ifndef SG_PIPELINE_WARNING_H
#define SG_PIPELINE_WARNING_H

#include "pipeline/inbound.h"

/* Delivers to the next hop; sets the recipients' outcomes. */
void sg_warning_deliver(struct sg_message *m, const char *domain_id, struct sg_rcpt **rcpts,
                        size_t count, const struct sg_inbound_judgement *j);

#endif
