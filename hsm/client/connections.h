/*
 * The client's bounded pool of connections to hsmd and one exchange over it. A connection that
 * died while it lay idle (hsmd was restarted) is replaced once, without the caller's notice.
 */
#ifndef SG_HSMCLIENT_CONNECTIONS_H
#define SG_HSMCLIENT_CONNECTIONS_H

#include "hsmclient/protocol.h"

struct sg_hsm_connections;

struct sg_hsm_connections *sg_hsm_connections_new(const struct sg_hsm_options *options);
void sg_hsm_connections_free(struct sg_hsm_connections **connections);

/*
 * Sends the frame, reads the reply into buf (SG_HSM_FRAME_MAX + 4 bytes): *body_r is a view of
 * it. Fails with SG_E_HSM_UNAVAILABLE, SG_E_BUSY (all connections in use) or SG_E_HSM_PROTOCOL.
 */
SG_MUST_USE bool sg_hsm_exchange(struct sg_hsm_connections *connections, struct sg_bytes frame,
                                 uint8_t *buf, struct sg_bytes *body_r, struct sg_error *err);

#endif
