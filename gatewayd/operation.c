#include "operation.h"

#include "confine/confine.h"
#include "crash/crash.h"
#include "monitor/monitor.h"
#include "pipeline/metrics.h"
#include "schema/clock_watch.h"
#include "tnef/tnef.h"

#include <stdlib.h>

static const char *const pools[] = {"gatewayd", NULL};
static const char *const directory_states[] = {"there", "away", NULL};
static const char *const crl_states[] = {"current", "expired", "failing", NULL};

static struct sg_metric connections = {
    .name = "sealgate_database_connections",
    .help = "Connections to PostgreSQL by pool; waiting: threads that want one.",
    .type = SG_GAUGE,
    .labels = {"pool", "state"},
    .values = {pools, sg_db_states},
    .cells = SG_CELLS(SG_DB_STATES),
    .cell_count = SG_DB_STATES,
};
static struct sg_metric backlog = {
    .name = "sealgate_gateway_journal_backlog_records",
    .help = "Records in the journal that are not in PostgreSQL yet.",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric oldest = {
    .name = "sealgate_gateway_journal_oldest_seconds",
    .help = "For how long the oldest record that is not in PostgreSQL yet has been in the journal; "
            "up to twice that while they are being fed.",
    .type = SG_GAUGE,
    .unit = 1000,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric fed_segment = {
    .name = "sealgate_gateway_journal_fed_segment",
    .help = "The segment of the journal that the feed stands in; with those before it it is done.",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric set_aside = {
    .name = "sealgate_gateway_journal_set_aside_records_total",
    .help =
        "Records in the journal that PostgreSQL does not have: it would never have taken them, or "
        "their segment was given up.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static const char *const cache_events[] = {"hit", "miss", "wait", "eviction", "stale", NULL};
static const char *const cache_sizes[] = {"entries", "bytes", NULL};
static struct sg_metric cache_uses = {
    .name = "sealgate_gateway_cache_events_total",
    .help =
        "Looks at what is kept of the configuration; wait: hits for which another one was asking "
        "the database; stale: found, but changed or too old.",
    .labels = {"event"},
    .values = {cache_events},
    .cells = SG_CELLS(5),
    .cell_count = 5,
};
static struct sg_metric cache_size = {
    .name = "sealgate_gateway_cache_size",
    .help = "What is kept of the configuration.",
    .type = SG_GAUGE,
    .labels = {"size"},
    .values = {cache_sizes},
    .cells = SG_CELLS(2),
    .cell_count = 2,
};
static struct sg_metric directories = {
    .name = "sealgate_gateway_directories",
    .help = "LDAP directories by whether they answer.",
    .type = SG_GAUGE,
    .labels = {"state"},
    .values = {directory_states},
    .cells = SG_CELLS(2),
    .cell_count = 2,
};
static struct sg_metric crls = {
    .name = "sealgate_gateway_crls",
    .help = "Revocation lists; failing: could not be fetched at the last attempt.",
    .type = SG_GAUGE,
    .labels = {"state"},
    .values = {crl_states},
    .cells = SG_CELLS(3),
    .cell_count = 3,
};

static struct sg_metric *const gateway_metrics[] = {
    &connections, &backlog,    &oldest,      &fed_segment, &set_aside,
    &cache_uses,  &cache_size, &directories, &crls,        NULL};
static struct sg_metric *const *const all_metrics[] = {sg_pipeline_metrics, gateway_metrics,
                                                       sg_journal_metrics,  sg_courier_metrics,
                                                       sg_tnef_metrics,     sg_clock_metrics,
                                                       sg_confine_metrics,  sg_node_metrics,
                                                       sg_crash_metrics,    NULL};

struct operation {
    struct sg_gateway *gw;
    struct sg_monitor *monitor;
};

static bool database_check(void *arg, struct sg_error *err)
{
    const struct sg_gateway *gw = arg;
    return sg_db_health(gw->db, err);
}

static bool hsm_check(void *arg, struct sg_error *err)
{
    const struct sg_gateway *gw = arg;
    return sg_hsm_health(gw->hsm, err);
}

static bool journal_check(void *arg, struct sg_error *err)
{
    struct sg_gateway *gw = arg;
    if (!atomic_load(&gw->replayed))
        return sg_fail(err, SG_E_BUSY, "the journal of the last run is being replayed");
    return sg_journal_health(gw->journal, err);
}

static bool spool_check(void *arg, struct sg_error *err)
{
    const struct sg_gateway *gw = arg;
    return sg_spool_probe(&gw->spool, err);
}

static bool directories_check(void *arg, struct sg_error *err)
{
    const struct sg_gateway *gw = arg;
    struct sg_certs_state state;
    sg_certs_state(gw->certs, sg_clock_now(), &state);
    return state.directories_away == 0 ||
           sg_fail(err, SG_E_DIRECTORY, "%zu of %zu directories do not answer",
                   state.directories_away, state.directories);
}

static bool crls_check(void *arg, struct sg_error *err)
{
    const struct sg_gateway *gw = arg;
    struct sg_certs_state state;
    sg_certs_state(gw->certs, sg_clock_now(), &state);
    return state.crls_expired + state.crls_failing == 0 ||
           sg_fail(err, SG_E_CRL, "of %zu revocation lists %zu have expired, %zu cannot be fetched",
                   state.crls, state.crls_expired, state.crls_failing);
}

static bool crashes_check(void *arg, struct sg_error *err)
{
    (void)arg;
    return sg_crash_check(err);
}

static void cache_collect(const struct sg_gateway *gw)
{
    struct sg_cache_state s;
    sg_db_cache_state(gw->db, &s);
    const uint64_t events[] = {s.hits, s.misses, s.waits, s.evictions, s.invalidated};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        sg_metric_set(&cache_uses, i, 0, (int64_t)events[i]);
    sg_metric_set(&cache_size, 0, 0, (int64_t)s.entries);
    sg_metric_set(&cache_size, 1, 0, (int64_t)s.bytes);
}

static void collect(void *arg)
{
    const struct sg_gateway *gw = arg;
    struct sg_certs_state state;
    sg_db_usage(gw->db, &connections, 0);
    cache_collect(gw);
    sg_crash_collect();
    sg_metric_set(&backlog, 0, 0, (int64_t)sg_journal_backlog(gw->journal));
    sg_metric_set(&oldest, 0, 0, sg_journal_oldest_ms(gw->journal));
    sg_metric_set(&fed_segment, 0, 0, (int64_t)sg_journal_fed_segment(gw->journal));
    sg_metric_set(&set_aside, 0, 0, (int64_t)sg_journal_set_aside(gw->journal));
    sg_certs_state(gw->certs, sg_clock_now(), &state);
    sg_metric_set(&directories, 0, 0, (int64_t)(state.directories - state.directories_away));
    sg_metric_set(&directories, 1, 0, (int64_t)state.directories_away);
    sg_metric_set(&crls, 0, 0, (int64_t)(state.crls - state.crls_expired));
    sg_metric_set(&crls, 1, 0, (int64_t)state.crls_expired);
    sg_metric_set(&crls, 2, 0, (int64_t)state.crls_failing);
}

bool operation_start(const struct settings *settings, struct sg_gateway *gw,
                     struct operation **operation_r, struct sg_error *err)
{
    struct operation *o = calloc(1, sizeof *o);
    if (!o)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    o->gw = gw;
    *operation_r = o;
    const struct sg_monitor_part parts[] = {
        {.name = "database", .check = database_check, .ctx = gw},
        {.name = "hsm", .check = hsm_check, .ctx = gw},
        {.name = "journal", .check = journal_check, .ctx = gw, .every_ms = 200},
        {.name = "spool", .check = spool_check, .ctx = gw},
        {.name = "directories", .check = directories_check, .ctx = gw, .optional = true},
        {.name = "revocation lists", .check = crls_check, .ctx = gw, .optional = true},
        {.name = "crashes", .check = crashes_check, .optional = true},
    };
    const struct sg_monitor_options options = {.listen = settings->ops_listen,
                                               .parts = parts,
                                               .part_count = sizeof parts / sizeof parts[0],
                                               .metrics = all_metrics,
                                               .collect = collect,
                                               .collect_ctx = gw};
    return sg_monitor_start(&options, &o->monitor, err);
}

void operation_leave(struct operation *operation)
{
    if (operation)
        sg_monitor_leave(operation->monitor);
}

void operation_stop(struct operation **operation)
{
    if (!*operation)
        return;
    sg_monitor_stop(&(*operation)->monitor);
    free(*operation);
    *operation = NULL;
}
