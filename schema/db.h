/*
 * The database: a bounded pool of libpq connections, transactions as callbacks, and a listener
 * for notifications. Thread-safe. All SQL lies in schema/queries and is reached through one C
 * file per aggregate (domain.h, held.h, …).
 *
 * Connections are opened lazily and come back by themselves: a broken one is dropped, and the
 * transaction is run once more when it broke before COMMIT was sent. While the server is away
 * callers fail fast with SG_E_DB_UNAVAILABLE: one at a time tries it again, with back-off.
 *
 * Errors: SG_E_DB_UNAVAILABLE (temporary), SG_E_CONFLICT (unique), SG_E_INVALID (check, foreign
 * key, bad value), SG_E_FORBIDDEN (rights, row-level security), SG_E_SCHEMA, SG_E_DB_QUERY; the
 * SQLSTATE is kept in sqlstate.
 */
#ifndef SG_SCHEMA_DB_H
#define SG_SCHEMA_DB_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/cache.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/metrics.h"

struct sg_db_options {
    const char *conninfo;      /* libpq's, without a password */
    const char *password_file; /* sg_secret_read(); NULL or "": none (peer authentication) */
    const char *application;   /* application_name, "gatewayd" */
    const char *actor;         /* app.actor where no context is given, "gatewayd" */
    int connections;           /* at most */
    int64_t wait_ms;           /* for a connection; also the limit of connecting */
    int64_t statement_timeout_ms;
    /* Of a listener: the node's name, which no other may have, for what is leased to a name is its
     * own (sg_claim). That one has it is logged (node.named-twice) and counted, no more: what was
     * killed or cut off may seem to be there for a while. NULL: none. */
    const char *node;
};

struct sg_db;

/* Copies the options; connects nothing, so it fails for a bad conninfo alone. */
SG_MUST_USE bool sg_db_open(const struct sg_db_options *options, struct sg_db **db_r,
                            struct sg_error *err);
void sg_db_close(struct sg_db **db);
/* Asks the server for an answer; for readiness. */
SG_MUST_USE bool sg_db_health(struct sg_db *db, struct sg_error *err);

/* Sets a gauge with the labels pool and state (sg_db_states): how the connections are used. */
#define SG_DB_STATES 4
extern const char *const sg_db_states[SG_DB_STATES + 1]; /* busy, idle, waiting, limit */
void sg_db_usage(struct sg_db *db, struct sg_metric *gauge, size_t pool);

/*
 * On whose behalf: set inside each transaction as app.tenant, app.actor, app.address and
 * app.request_id, which row-level security and the audit triggers read. NULL is "".
 */
struct sg_db_context {
    const char *tenant;  /* the tenant whose rows sg_api sees */
    const char *actor;   /* "gatewayd", "token:tok_…" */
    const char *address; /* where the actor came from */
    const char *request_id;
    bool snapshot; /* all of its queries see the same (REPEATABLE READ); for reports */
    bool bare; /* it only reads, each query for itself: no transaction, nothing of the above set */
};

/*
 * Keeps what the message path reads of the configuration (query_cache.c names the queries); once,
 * before the pool is used. A listener that is given the pool keeps it current; without one, or
 * while it is away, each asks the server.
 */
struct sg_db_cache_options {
    size_t entries, bytes; /* sg_cache_options */
    int64_t lifetime_ms;
};
void sg_db_cache(struct sg_db *db, const struct sg_db_cache_options *options);
/*
 * Whatever was committed before this call is what is read after it: one round trip for all who ask
 * at the same time. Where it does not answer within wait_ms everybody asks the
 * server.
 */
void sg_db_fresh(struct sg_db *db);
void sg_db_cache_state(struct sg_db *db, struct sg_cache_state *state_r);

/*
 * Rows that are due are taken under a lease, until which nobody else takes them. After it the node
 * takes its own back; the others do not for others_ms more, for what was sent before it was killed,
 * or before PostgreSQL went away, is known to that node alone.
 */
struct sg_claim {
    const char *node;
    int64_t lease_ms, others_ms;
    int limit; /* rows at most */
};

/* A transaction in progress. */
struct sg_tx;

/* The time of the transaction, as app.now. */
sg_time sg_tx_now(const struct sg_tx *tx);

/*
 * Runs fn in a transaction; ctx NULL is {.actor = options.actor}. fn returning false rolls back. fn
 * may run several times (serialization failure, deadlock, a connection that broke before COMMIT):
 * it has no effect outside the database, and sets its results anew each time. SG_E_DB_UNAVAILABLE
 * after COMMIT was sent means that the outcome is unknown.
 */
typedef bool (*sg_db_fn)(struct sg_tx *tx, void *arg, struct sg_error *err);
SG_MUST_USE bool sg_db_transact(struct sg_db *db, const struct sg_db_context *ctx, sg_db_fn fn,
                                void *arg, struct sg_error *err);

/*
 * Listens on channels (ended by NULL, static) with a thread and a connection of its own, and
 * another for what db keeps. fn is called with each notification, and with payload NULL and channel
 * NULL after every (re)connect: flush all, for anything may have been missed. Channels:
 * sealgate_config (payload: the table), sealgate_job, sealgate_held, sealgate_request. What db
 * keeps is kept current; NULL: nothing is.
 */
struct sg_db_listener;
typedef void (*sg_db_listen_fn)(void *ctx, const char *channel, const char *payload);
SG_MUST_USE bool sg_db_listen(const struct sg_db_options *options, const char *const *channels,
                              sg_db_listen_fn fn, void *ctx, struct sg_db *db,
                              struct sg_db_listener **listener_r, struct sg_error *err);
/* Ends the thread; fn is not called any more. */
void sg_db_listen_stop(struct sg_db_listener **listener);
/* For sg_monitor: whether another one has the node's name. */
extern struct sg_metric *const sg_node_metrics[];

#endif
