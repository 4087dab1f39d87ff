/*
 * A thread that looks, several times within the time that an operation may take, for what is past
 * its deadline: it has the callers answered (server.h), judges whether the module hangs (pool.h),
 * and where a call does not come back, has this process end, to be started anew.
 */
#ifndef SG_HSM_GUARD_H
#define SG_HSM_GUARD_H

#include "hsm/pool.h"
#include "hsm/server.h"

struct sg_guard_options {
    struct sg_server *server; /* both outlive the guard */
    struct sg_pool *pool;
    int64_t answer_ms;  /* what an operation may take */
    int64_t replace_ms; /* by how much one may be overdue */
};

struct sg_guard;

SG_MUST_USE bool sg_guard_start(const struct sg_guard_options *options, struct sg_guard **guard_r,
                                struct sg_error *err);
/* Whether it has asked for this process to be replaced (by sg_daemon_stop()). */
bool sg_guard_replaces(struct sg_guard *guard);
void sg_guard_stop(struct sg_guard **guard);

#endif
