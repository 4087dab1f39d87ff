/* Holding (REQ-56) and quarantine (REQ-110): committed, with the notices, before anything is
 * answered. */
#ifndef SG_PIPELINE_KEEP_H
#define SG_PIPELINE_KEEP_H

#include "pipeline/outbound.h"

/* Who is held already, though the registry did not know it, gets the outcome: his message is the
 * worker's, whatever would be decided now. */
SG_MUST_USE bool sg_keep_recall(struct sg_message *m, struct sg_error *err);
/* Holds the message for a group's recipients, or quarantines it; tells of it and sets their
 * outcomes. */
void sg_keep_group(struct sg_outbound *o, struct sg_outbound_group *group);
/* The administrator is told of quarantined mail: once, however often it is said. */
SG_MUST_USE bool sg_keep_tell_quarantine(struct sg_outbound *o, struct sg_outbound_group *group,
                                         struct sg_error *err);
/* It is not sent, and its sender is told (SECURE DELIVERY FAILURE); sets the outcomes. */
void sg_keep_failed(struct sg_outbound *o, struct sg_outbound_group *group);

/* When a held message or a notice is tried next: doubling from the first wait, that of the policy
 * (may be NULL) before the daemon's, to the longest. */
sg_time sg_keep_next_try(const struct sg_gateway *gw, const struct sg_domain_policy *policy,
                         int attempts, sg_time now);

/*
 * How a worker takes one of what waits in PostgreSQL. Where that was away a moment ago, nothing
 * that another node has leased: it may be about to say that it was sent.
 */
struct sg_claim sg_keep_claim(const struct sg_gateway *gw);
void sg_keep_away(struct sg_gateway *gw); /* it cannot be reached */

#endif
