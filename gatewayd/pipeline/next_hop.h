/* Where a domain's mail is delivered, as the SMTP client wants it. */
#ifndef SG_PIPELINE_NEXT_HOP_H
#define SG_PIPELINE_NEXT_HOP_H

#include "pipeline/gateway.h"

/* Its strings live in the arena. */
SG_MUST_USE bool sg_next_hop(struct sg_gateway *gw, struct sg_arena *arena, const char *domain_id,
                             struct sg_smtp_destination *destination_r, bool *found_r,
                             struct sg_error *err);

#endif
