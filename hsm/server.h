/*
 * hsmd's socket: who calls is told by SO_PEERCRED; a thread for each connection, of which there is
 * a bounded number, in all and for each uid.
 */
#ifndef SG_HSM_SERVER_H
#define SG_HSM_SERVER_H

#include "hsm/access.h"
#include "hsm/ops.h"

struct sg_server_options {
    int fd; /* listening; the server's from now on */
    int max_connections, connections_per_user;
    int64_t request_timeout_ms, idle_timeout_ms;
};

struct sg_server;

/* ops outlives it; access is copied. Starts to accept at once. */
SG_MUST_USE bool sg_server_start(const struct sg_server_options *options, struct sg_ops *ops,
                                 const struct sg_access *access, struct sg_server **server_r,
                                 struct sg_error *err);
/* Other rules, from the next request on. */
void sg_server_access_set(struct sg_server *server, const struct sg_access *access);
/*
 * No new connection, no new request; what is in flight ends. false: something did not end within
 * the time, the process must leave without cleaning up.
 */
bool sg_server_stop(struct sg_server **server, int64_t timeout_ms);

#endif
