/*
 * Unverified mail: delivered with the warning in front (table 2) and the message attached, never
 * unmarked. What was decrypted without proof of integrity is attached so that no client renders it.
 */
#ifndef SG_PIPELINE_WARNING_H
#define SG_PIPELINE_WARNING_H

#include "pipeline/inbound.h"

/* Delivers to the next hop; sets the recipients' outcomes. */
void sg_warning_deliver(struct sg_message *m, const char *domain_id, struct sg_rcpt **rcpts,
                        size_t count, const struct sg_inbound_judgement *j);

#endif
