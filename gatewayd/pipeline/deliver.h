/*
 * Sending on: to the re-entry listener of Postfix "out", or to a domain's next hop. Sets the
 * outcome of every recipient that is given.
 */
#ifndef SG_PIPELINE_DELIVER_H
#define SG_PIPELINE_DELIVER_H

#include "pipeline/message.h"

/*
 * Towards Postfix "out", sealed mail by the listener from which it goes into the egress networks
 * alone (REQ-125). A 5xx of our own Postfix is not the sender's fault: deferred. verdict is "plain"
 * or "sealed".
 */
void sg_deliver_reentry(struct sg_message *m, struct sg_rcpt **rcpts, size_t count,
                        const struct sg_smtp_piece *pieces, size_t piece_count,
                        const char *verdict);
/*
 * Towards the domain's own server, secure mail (any verdict but "plain") into the egress networks
 * alone (REQ-125): accepted → delivered; 4xx or nobody there → deferred; 5xx →
 * refused (the caller commits the notice before it answers 250).
 */
void sg_deliver_next_hop(struct sg_message *m, const char *domain_id, struct sg_rcpt **rcpts,
                         size_t count, const struct sg_smtp_piece *pieces, size_t piece_count,
                         const char *verdict, const char *code);

#endif
