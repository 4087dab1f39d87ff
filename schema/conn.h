/*
 * One connection to PostgreSQL with its prepared queries; every call has a deadline, so that a
 * server that hangs costs a bounded wait. Inside schema/ alone. Not for several threads at once.
 */
#ifndef SG_SCHEMA_CONN_H
#define SG_SCHEMA_CONN_H

#include "schema/db_internal.h"

#include "common/deadline.h"

struct sg_conn {
    PGconn *pg;
    int64_t call_ms; /* of a call: the statement's own time and some for the way; 0: no limit */
    bool broken;     /* to be dropped: the server, the network or the session's state is gone */
    bool stale;      /* broken because a prepared plan no longer fits: another may work */
    unsigned generation;
    bool prepared[SG_QUERY_COUNT];
};

/* Within wait_ms, of which each of the hosts that conninfo names has its share, in their order. */
SG_MUST_USE bool sg_conn_open(const struct sg_db_options *options, struct sg_conn **conn_r,
                              struct sg_error *err);
void sg_conn_close(struct sg_conn **conn);
/* A text without parameters, of one or several statements. */
SG_MUST_USE bool sg_conn_script(struct sg_conn *conn, const char *sql, struct sg_error *err);
SG_MUST_USE bool sg_conn_query(struct sg_conn *conn, enum sg_query query,
                               const struct sg_params *params, struct sg_rows *rows,
                               struct sg_error *err);

/* For conn.c and connect.c. Fails with what libpq says; the connection is broken. */
bool sg_conn_fail(struct sg_conn *conn, const char *what, struct sg_error *err);
/* Waits on the socket, with deadline 0 for ever; the connection is broken when it takes too long.
 */
SG_MUST_USE bool sg_conn_wait(struct sg_conn *conn, const char *what, short events,
                              sg_deadline deadline, struct sg_error *err);

struct sg_tx {
    struct sg_conn *conn;
    sg_time now;
};

#endif
