/* Holding (REQ-56): committed, with its notices, before anything is answered. */
#ifndef SG_PIPELINE_KEEP_H
#define SG_PIPELINE_KEEP_H

#include "pipeline/outbound.h"

/* Holds the message for a group's recipients and tells of it; sets their outcomes. */
void sg_keep_group(struct sg_outbound *o, struct sg_outbound_group *group);

/* When a held message is tried next: doubling from the first wait to the longest. */
sg_time sg_keep_next_try(const struct sg_gateway *gw, int attempts, sg_time now);

#endif
