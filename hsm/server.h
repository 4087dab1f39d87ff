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
    int64_t
        stuck_ms; /* a thread that is at one operation for so long makes no progress (watch.h) */
};

struct sg_server;

/* ops outlives it; access is copied. Starts to accept at once. */
SG_MUST_USE bool sg_server_start(const struct sg_server_options *options, struct sg_ops *ops,
                                 const struct sg_access *access, struct sg_server **server_r,
                                 struct sg_error *err);
/* Other rules, from the next request on. */
void sg_server_access_set(struct sg_server *server, const struct sg_access *access);
/*
 * Where an operation is past its deadline (ops.h) its caller is told that the HSM is not available,
 * and the connection is closed; its thread ends when it comes back.
 */
void sg_server_answer_overdue(struct sg_server *server);
/*
 * No new connection, no new request; what is in flight ends, or is answered as overdue. false:
 * something did not end within the time, or is overdue in the module: the process must leave
 * without cleaning up.
 */
SG_MUST_USE bool sg_server_stop(struct sg_server *server, int64_t timeout_ms);
/* After sg_server_stop() said true. */
void sg_server_free(struct sg_server **server);

#endif
