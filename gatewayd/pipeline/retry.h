/* Rounds over what waits in PostgreSQL: held mail, certificates for it, the outbox of notices. */
#ifndef SG_PIPELINE_RETRY_H
#define SG_PIPELINE_RETRY_H

#include "pipeline/gateway.h"

/* Of held mail that a certificate makes due, so much in a transaction. */
#define SG_RETRY_PORTION 1000

/* For sg_worker: the gateway is a struct sg_gateway. True where there may be more. */
bool sg_retry_held_round(void *gateway);
bool sg_retry_notice_round(void *gateway);
bool sg_retry_discovery_round(void *gateway);
/* At the stop: *sent gets what was sent of held mail without anybody knowing it but the courier. */
void sg_retry_held_end(struct sg_gateway *gw, struct sg_courier_sent **sent);

#endif
