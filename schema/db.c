#include "schema/conn.h"
#include "schema/query_cache.h"

#include "common/log.h"
#include "common/wait.h"

#include <stdio.h>
#include <stdlib.h>

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS   1000
#define ATTEMPTS         6 /* of a transaction that meets others */

struct sg_db {
    struct sg_db_options options;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct sg_conn **idle;
    int idle_count;
    int open_count; /* idle, in use and being opened */
    int waiting;    /* threads, for a connection */
    unsigned generation;
    /* The circuit: while open nobody connects before retry_at_ms, and then one at a time. */
    bool probing;
    int64_t backoff_ms, retry_at_ms;
    struct sg_error last; /* why the circuit is open */
    struct sg_query_cache *cache;
};

static char *copy(const char *s)
{
    return strdup(s ? s : "");
}

bool sg_db_open(const struct sg_db_options *options, struct sg_db **db_r, struct sg_error *err)
{
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(options->conninfo, &why);
    if (!parsed) {
        sg_fail(err, SG_E_CONFIG, "conninfo: %.*s", (int)strcspn(why ? why : "", "\n"),
                why ? why : "");
        PQfreemem(why);
        return false;
    }
    for (PQconninfoOption *o = parsed; o->keyword; o++) {
        if (strcmp(o->keyword, "password") == 0 && o->val) {
            PQconninfoFree(parsed);
            return sg_fail(err, SG_E_CONFIG, "conninfo: the password belongs into a file");
        }
    }
    PQconninfoFree(parsed);
    struct sg_db *db = calloc(1, sizeof *db);
    struct sg_conn **idle =
        calloc(options->connections > 0 ? (size_t)options->connections : 1, sizeof(void *));
    if (!db || !idle) {
        free(db);
        free(idle);
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    }
    db->options = *options;
    db->options.conninfo = copy(options->conninfo);
    db->options.password_file = copy(options->password_file);
    db->options.application = copy(options->application);
    db->options.actor = copy(options->actor);
    db->options.node = NULL;
    if (db->options.connections < 1)
        db->options.connections = 1;
    db->idle = idle;
    pthread_mutex_init(&db->lock, NULL);
    sg_cond_init(&db->freed);
    *db_r = db;
    return true;
}

void sg_db_close(struct sg_db **db)
{
    struct sg_db *d = *db;
    if (!d)
        return;
    for (int i = 0; i < d->idle_count; i++)
        sg_conn_close(&d->idle[i]);
    sg_query_cache_free(&d->cache);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->freed);
    free((char *)d->options.conninfo);
    free((char *)d->options.password_file);
    free((char *)d->options.application);
    free((char *)d->options.actor);
    free(d->idle);
    free(d);
    *db = NULL;
}

void sg_db_cache(struct sg_db *db, const struct sg_db_cache_options *options)
{
    db->cache = sg_query_cache_new(options, db->options.wait_ms);
}

struct sg_query_cache *sg_db_query_cache(struct sg_db *db)
{
    return db ? db->cache : NULL;
}

/* With the lock held: waits until a connection is given back. false: the time is up. */
static bool freed_wait(struct sg_db *db, sg_deadline deadline)
{
    db->waiting++;
    bool ok = sg_cond_wait(&db->freed, &db->lock, deadline);
    db->waiting--;
    return ok;
}

/* With the lock held; it is released while the server is asked. */
static bool pool_connect(struct sg_db *db, struct sg_conn **conn_r, struct sg_error *err)
{
    bool open_circuit = db->backoff_ms > 0;
    if (open_circuit && (db->probing || sg_clock_monotonic_ms() < db->retry_at_ms)) {
        if (err)
            *err = db->last;
        return false;
    }
    db->probing = open_circuit;
    db->open_count++;
    unsigned generation = db->generation;
    pthread_mutex_unlock(&db->lock);
    struct sg_error why = {0};
    bool ok = sg_conn_open(&db->options, conn_r, &why);
    pthread_mutex_lock(&db->lock);
    db->probing = false;
    if (ok) {
        db->backoff_ms = 0;
        (*conn_r)->generation = generation;
        return true;
    }
    db->open_count--;
    db->backoff_ms = db->backoff_ms ? db->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (db->backoff_ms > BACKOFF_MAX_MS)
        db->backoff_ms = BACKOFF_MAX_MS;
    db->retry_at_ms = sg_clock_monotonic_ms() + db->backoff_ms;
    db->last = why;
    pthread_cond_broadcast(&db->freed); /* who waits need wait no longer */
    if (!open_circuit)
        sg_log_error(SG_LOG_WARNING, "database.away", &why, NULL);
    if (err)
        *err = why;
    return false;
}

static bool pool_take(struct sg_db *db, struct sg_conn **conn_r, struct sg_error *err)
{
    sg_deadline deadline = sg_deadline_in(db->options.wait_ms);
    bool ok = false;
    pthread_mutex_lock(&db->lock);
    for (;;) {
        if (db->idle_count > 0) {
            *conn_r = db->idle[--db->idle_count];
            ok = true;
            break;
        }
        if (db->open_count < db->options.connections) {
            ok = pool_connect(db, conn_r, err);
            break;
        }
        if (!freed_wait(db, deadline)) {
            sg_fail(err, SG_E_DB_UNAVAILABLE, "no connection was free within %lld ms",
                    (long long)db->options.wait_ms);
            break;
        }
    }
    pthread_mutex_unlock(&db->lock);
    return ok;
}

/* When one connection broke its idle sisters are most likely gone too: all are dropped. */
static void pool_give(struct sg_db *db, struct sg_conn **conn)
{
    struct sg_conn *c = *conn;
    *conn = NULL;
    pthread_mutex_lock(&db->lock);
    if (c->broken && c->generation == db->generation) {
        db->generation++;
        while (db->idle_count > 0) {
            sg_conn_close(&db->idle[--db->idle_count]);
            db->open_count--;
        }
    }
    if (c->generation != db->generation) {
        sg_conn_close(&c);
        db->open_count--;
        pthread_cond_broadcast(&db->freed); /* several places may have become free */
    } else {
        db->idle[db->idle_count++] = c;
        pthread_cond_signal(&db->freed);
    }
    pthread_mutex_unlock(&db->lock);
}

static bool tx_begin(struct sg_tx *tx, const struct sg_db *db, const struct sg_db_context *ctx,
                     struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, ctx && ctx->tenant ? ctx->tenant : "");
    sg_param_text(&p, ctx ? (ctx->actor ? ctx->actor : "") : db->options.actor);
    sg_param_text(&p, ctx && ctx->address ? ctx->address : "");
    sg_param_text(&p, ctx && ctx->request_id ? ctx->request_id : "");
    sg_param_time(&p, tx->now);
    const char *begin = ctx && ctx->snapshot ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN";
    return sg_conn_script(tx->conn, begin, err) &&
           sg_conn_query(tx->conn, SG_Q_CONTEXT_SET, &p, NULL, err);
}

/* Once through. *again_r: nothing was committed, and another try may well succeed. */
static bool transact_once(struct sg_db *db, const struct sg_db_context *ctx, sg_db_fn fn, void *arg,
                          bool *again_r, bool *broken_r, struct sg_error *err)
{
    struct sg_tx tx = {.now = sg_clock_now()};
    *again_r = *broken_r = false;
    if (!pool_take(db, &tx.conn, err))
        return false;
    bool committing = false, bare = ctx && ctx->bare;
    bool ok = (bare || tx_begin(&tx, db, ctx, err)) && fn(&tx, arg, err);
    if (ok && PQtransactionStatus(tx.conn->pg) == PQTRANS_INERROR)
        ok = sg_fail(err, SG_E_INTERNAL, "a failed query was taken for a success");
    if (ok && !bare) {
        committing = true;
        ok = sg_conn_script(tx.conn, "COMMIT", err);
    }
    if (!ok && !tx.conn->broken && PQtransactionStatus(tx.conn->pg) != PQTRANS_IDLE) {
        struct sg_error ignored = {0};
        if (!sg_conn_script(tx.conn, "ROLLBACK", &ignored))
            tx.conn->broken = true;
    }
    *broken_r = !ok && tx.conn->broken && !committing;
    *again_r = !ok && err->lib == SG_LIB_SQL && strncmp(err->sqlstate, "40", 2) == 0;
    if (PQstatus(tx.conn->pg) != CONNECTION_OK)
        tx.conn->broken = true;
    pool_give(db, &tx.conn);
    return ok;
}

bool sg_db_transact(struct sg_db *db, const struct sg_db_context *ctx, sg_db_fn fn, void *arg,
                    struct sg_error *err)
{
    struct sg_error why = {0};
    bool reconnected = false;
    for (int attempt = 1;; attempt++) {
        bool again, broken;
        sg_error_reset(&why);
        if (transact_once(db, ctx, fn, arg, &again, &broken, &why))
            return true;
        if (broken && !reconnected) {
            reconnected = true;
            continue;
        }
        if (!again || attempt >= ATTEMPTS)
            break;
        struct timespec pause = {.tv_nsec = (long)attempt * attempt * 2000000 + random() % 2000000};
        nanosleep(&pause, NULL);
    }
    if (err)
        *err = why;
    return false;
}

sg_time sg_tx_now(const struct sg_tx *tx)
{
    return tx->now;
}

static bool health(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    (void)arg;
    SG_AUTO_ROWS rows = {0};
    if (!sg_tx_query(tx, SG_Q_MIGRATION_VERSION, NULL, &rows, err))
        return false;
    struct sg_row row = sg_row_at(&rows, 0, NULL);
    int64_t version = sg_row_int(&row);
    if (!sg_row_end(&row, err))
        return false;
    /* A newer schema is what a rolling upgrade looks like from the older program. */
    int needed = sg_embedded_migrations[SG_MIGRATION_COUNT - 1].version;
    return version >= needed || sg_fail(err, SG_E_SCHEMA,
                                        "the schema is at %lld, this program needs %d: tenantd "
                                        "migrate",
                                        (long long)version, needed);
}

const char *const sg_db_states[SG_DB_STATES + 1] = {"busy", "idle", "waiting", "limit", NULL};

void sg_db_usage(struct sg_db *db, struct sg_metric *gauge, size_t pool)
{
    pthread_mutex_lock(&db->lock);
    int idle = db->idle_count, busy = db->open_count - idle, waiting = db->waiting;
    pthread_mutex_unlock(&db->lock);
    const int values[SG_DB_STATES] = {busy, idle, waiting, db->options.connections};
    for (size_t i = 0; i < SG_DB_STATES; i++)
        sg_metric_set(gauge, pool, i, values[i]);
}

bool sg_db_health(struct sg_db *db, struct sg_error *err)
{
    return sg_db_transact(db, NULL, health, NULL, err);
}
