/*
 * The networks that secure mail may be sent into (REQ-125), as they are now: looked up when they
 * changed, and every half minute.
 */
#ifndef SG_PIPELINE_EGRESS_H
#define SG_PIPELINE_EGRESS_H

#include "common/networks.h"
#include "schema/db.h"

struct sg_egress;
struct sg_egress *sg_egress_new(struct sg_db *db, int64_t holds_ms);
void sg_egress_free(struct sg_egress **egress);

/* *networks_r is the caller's reference; NULL: none are configured, and nothing is checked. false:
 * it is not known, so nothing may go. */
SG_MUST_USE bool sg_egress_get(struct sg_egress *egress, struct sg_networks **networks_r,
                               struct sg_error *err);
/* Looks them up anew, now. */
void sg_egress_changed(struct sg_egress *egress);

#endif
