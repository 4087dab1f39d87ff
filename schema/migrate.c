#include "schema/migrate.h"

#include "common/log.h"
#include "schema/conn.h"

#include <stdio.h>

#define ATTEMPTS 20 /* at a lock that others hold, with pauses as long as the wait for it */

/* One key of our own for pg_advisory_xact_lock(): "sealgate" in ASCII. */
static const char prepare_sql[] = "SELECT pg_advisory_xact_lock(x'7365616c67617465'::bigint);\n"
                                  "CREATE SCHEMA IF NOT EXISTS sealgate;\n"
                                  "CREATE TABLE IF NOT EXISTS sealgate.migration (\n"
                                  "    version integer PRIMARY KEY,\n"
                                  "    name text NOT NULL,\n"
                                  "    checksum text NOT NULL,\n"
                                  "    applied_at timestamptz NOT NULL)";

static bool record(struct sg_tx *tx, const struct sg_embedded_migration *m, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_int(&p, m->version);
    sg_param_text(&p, m->name);
    sg_param_text(&p, m->checksum);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_MIGRATION_INSERT, &p, NULL, err);
}

/* With the lock held: is what has been applied what this program has? applied_r is how many. */
static bool compare(struct sg_tx *tx, int *applied_r, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    if (!sg_tx_query(tx, SG_Q_MIGRATION_LIST, NULL, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        int64_t version = sg_row_int(&r);
        const char *name = sg_row_text(&r), *checksum = sg_row_text(&r);
        if (!sg_row_end(&r, err))
            return false;
        if (i >= SG_MIGRATION_COUNT || version != sg_embedded_migrations[i].version)
            return sg_fail(err, SG_E_SCHEMA,
                           "the database has migration %04lld_%s, which this program does not know",
                           (long long)version, name);
        if (strcmp(checksum, sg_embedded_migrations[i].checksum) != 0)
            return sg_fail(err, SG_E_SCHEMA,
                           "migration %04lld_%s was edited after it had been applied",
                           (long long)version, name);
    }
    *applied_r = rows.count;
    return true;
}

struct steps {
    int next;
    int64_t lock_ms;
};

/* Applies the next migration, if there is one. Whoever comes later waits behind a lock that is
 * waited for, the message path too: not for long, therefore. */
static bool step(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct steps *s = arg;
    char lock_sql[64];
    snprintf(lock_sql, sizeof lock_sql, "SET LOCAL lock_timeout = %lld", (long long)s->lock_ms);
    if (!sg_conn_script(tx->conn, prepare_sql, err) || !compare(tx, &s->next, err))
        return false;
    if (s->next >= SG_MIGRATION_COUNT)
        return true;
    const struct sg_embedded_migration *m = &sg_embedded_migrations[s->next];
    if (!sg_conn_script(tx->conn, lock_sql, err) || !sg_conn_script(tx->conn, m->sql, err) ||
        !record(tx, m, err))
        return false;
    sg_log(SG_LOG_INFO, "database.migrated", "migration", m->name, NULL);
    return true;
}

static bool partitions(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, *(const sg_time *)arg);
    return sg_tx_query(tx, SG_Q_PARTITIONS_ENSURE, &p, NULL, err);
}

/* Again and again where others hold what it needs, and lets those go first that wait behind it. */
static bool locked_transact(struct sg_db *db, int64_t lock_ms, sg_db_fn fn, void *arg,
                            struct sg_error *err)
{
    struct sg_error why = {0};
    for (int attempt = 1; !sg_db_transact(db, NULL, fn, arg, &why); attempt++) {
        bool locked = why.lib == SG_LIB_SQL && strcmp(why.sqlstate, "55P03") == 0;
        if (locked && attempt < ATTEMPTS) {
            sg_log_error(SG_LOG_WARNING, "database.migration-waits", &why, NULL);
            struct timespec pause = {.tv_sec = lock_ms / 1000, .tv_nsec = lock_ms % 1000 * 1000000};
            nanosleep(&pause, NULL);
            continue;
        }
        if (locked)
            return sg_fail(err, why.code,
                           "others hold a table that it has to change (pg_stat_activity): %.150s",
                           why.detail);
        if (err)
            *err = why;
        return false;
    }
    return true;
}

bool sg_partitions_ensure(struct sg_db *db, sg_time now, struct sg_error *err)
{
    return sg_db_transact(db, NULL, partitions, &now, err);
}

bool sg_migrate(const struct sg_db_options *owner, int64_t lock_ms, sg_time now, int *applied_r,
                struct sg_error *err)
{
    struct sg_db_options options = *owner;
    options.connections = 1;
    options.statement_timeout_ms = 0; /* a migration takes as long as it takes */
    struct sg_db *db = NULL;
    if (!sg_db_open(&options, &db, err))
        return false;
    struct steps steps = {.lock_ms = lock_ms};
    *applied_r = 0;
    bool ok;
    while ((ok = locked_transact(db, lock_ms, step, &steps, err)) &&
           steps.next < SG_MIGRATION_COUNT)
        (*applied_r)++;
    ok = ok && locked_transact(db, lock_ms, partitions, &now, err);
    sg_db_close(&db);
    return ok;
}
