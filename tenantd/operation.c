#include "operation.h"

#include "confine/confine.h"
#include "jobs/metrics.h"
#include "monitor/monitor.h"
#include "schema/clock_watch.h"
#include "schema/figures.h"

#include <stdlib.h>

#define FIGURES_EVERY_MS 15000
#define FIGURE_VALUES    8 /* of a label, at most */

static const char *const pools[] = {"tenantd", NULL};
static struct sg_metric connections = {
    .name = "sealgate_database_connections",
    .help = "Connections to PostgreSQL by pool; waiting: threads that want one.",
    .type = SG_GAUGE,
    .labels = {"pool", "state"},
    .values = {pools, sg_db_states},
    .cells = SG_CELLS(SG_DB_STATES),
    .cell_count = SG_DB_STATES,
};

/* Figures of the whole platform, out of the database; the same from every tenantd. */
static const char *const job_states[] = {"queued", "running", "dead", NULL};
static const char *const domain_states[] = {"pending",   "attested", "verified", "failed",
                                            "suspended", "revoked",  "other",    NULL};
static const char *const tenant_states[] = {"active", "suspended", "closed", "other", NULL};
static const char *const expiries[] = {"none", "expired", "7", "30", "60", "more", NULL};
static const char *const reasons[] = {"201", "202", "other", NULL};
static const char *const severities[] = {"info", "warning", "critical", NULL};
static const char *const lists[] = {"SEEMAIL2",     "SECUREMAIL1",     "WORKSPACE",
                                    "SEEMAIL2TEST", "SECUREMAIL1TEST", NULL};
#define FIGURE(called, words, label, its_values, n, per)                                           \
    {                                                                                              \
        .name = (called), .help = (words), .type = SG_GAUGE, .unit = (per), .labels = {label},     \
        .values = {its_values}, .cells = SG_CELLS(n), .cell_count = (n)                            \
    }

static struct {
    const char *figure; /* of schema/queries/figures.sql */
    struct sg_metric metric;
} figures[] = {
    {"jobs", FIGURE("sealgate_jobs", "Jobs by state.", "state", job_states, 3, 1)},
    {"job_waiting_ms",
     FIGURE("sealgate_job_waiting_seconds",
            "How long the job that has been due longest waits for a worker.", NULL, NULL, 1, 1000)},
    {"domains", FIGURE("sealgate_domains", "Domains by state.", "state", domain_states, 7, 1)},
    {"tenants", FIGURE("sealgate_tenants", "Tenants by state.", "state", tenant_states, 4, 1)},
    {"certificates",
     FIGURE(
         "sealgate_certificates",
         "Domains that may send by how many days are left of their certificates, at most; expired: "
         "or revoked; none: there has never been one.",
         "days", expiries, 6, 1)},
    {"held", FIGURE("sealgate_held_messages", "Held messages by code.", "code", reasons, 3, 1)},
    {"held_oldest_ms",
     FIGURE("sealgate_held_oldest_seconds", "How long the oldest held message has been held.", NULL,
            NULL, 1, 1000)},
    {"incidents", FIGURE("sealgate_incidents_open", "Incidents that are not resolved.", "severity",
                         severities, 3, 1)},
    {"list_read_ms", FIGURE("sealgate_list_read_timestamp_seconds",
                            "When a list of members was last read from a directory; 0: never.",
                            "list", lists, 5, 1000)},
    {"list_members",
     FIGURE("sealgate_list_members", "Members of a list, as it is in force.", "list", lists, 5, 1)},
    {"list_changes_waiting", FIGURE("sealgate_list_changes_waiting",
                                    "Changes of lists that wait for approval.", NULL, NULL, 1, 1)},
    {"sources_failing",
     FIGURE("sealgate_directory_sources_failing",
            "Directories that could not be read at the last attempt.", NULL, NULL, 1, 1)},
};
#define FIGURES (sizeof figures / sizeof figures[0])

static struct sg_metric read_at = {
    .name = "sealgate_figures_read_timestamp_seconds",
    .help = "When the figures of the platform were read from the database.",
    .type = SG_GAUGE,
    .unit = 1000000,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};

struct operation {
    struct sg_db *db;
    struct sg_hsm *hsm;
    struct sg_monitor *monitor;
    struct sg_metric *figures[FIGURES + 3];
    struct sg_metric *const *metrics[5];
};

static bool database_check(void *arg, struct sg_error *err)
{
    const struct operation *o = arg;
    return sg_db_health(o->db, err);
}

static bool hsm_check(void *arg, struct sg_error *err)
{
    const struct operation *o = arg;
    return sg_hsm_health(o->hsm, err);
}

/* Summed first and set then: who reads meanwhile sees the old or the new. Several labels may be
 * "other". */
static void figure_set(struct sg_metric *m, const char *name, const struct sg_figure *read,
                       size_t count)
{
    int64_t sums[FIGURE_VALUES] = {0};
    for (size_t i = 0; i < count; i++) {
        size_t place = m->labels[0] ? sg_metric_value(m->values[0], read[i].label) : 0;
        if (strcmp(read[i].name, name) == 0 && place < FIGURE_VALUES)
            sums[place] += read[i].value;
    }
    for (size_t i = 0; i < m->cell_count; i++)
        sg_metric_set(m, i, 0, sums[i]);
}

static bool figures_check(void *arg, struct sg_error *err)
{
    const struct operation *o = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_figure *read;
    size_t count;
    sg_time now = sg_clock_now();
    if (!sg_figures_read(o->db, arena, now, &read, &count, err))
        return false;
    for (size_t i = 0; i < FIGURES; i++)
        figure_set(&figures[i].metric, figures[i].figure, read, count);
    sg_metric_set(&read_at, 0, 0, now);
    return true;
}

static void collect(void *arg)
{
    const struct operation *o = arg;
    sg_db_usage(o->db, &connections, 0);
}

bool operation_start(const struct settings *settings, struct sg_db *db, struct sg_hsm *hsm,
                     struct operation **operation_r, struct sg_error *err)
{
    struct operation *o = calloc(1, sizeof *o);
    if (!o)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    *operation_r = o;
    o->db = db;
    o->hsm = hsm;
    o->figures[0] = &connections;
    o->figures[1] = &read_at;
    for (size_t i = 0; i < FIGURES; i++)
        o->figures[i + 2] = &figures[i].metric;
    o->metrics[0] = sg_jobs_metrics;
    o->metrics[1] = o->figures;
    o->metrics[2] = sg_clock_metrics;
    o->metrics[3] = sg_confine_metrics;
    const struct sg_monitor_part parts[] = {
        {.name = "database", .check = database_check, .ctx = o},
        {.name = "hsm", .check = hsm_check, .ctx = o},
        {.name = "figures",
         .check = figures_check,
         .ctx = o,
         .every_ms = FIGURES_EVERY_MS,
         .optional = true},
    };
    const struct sg_monitor_options options = {.listen = settings->ops_listen,
                                               .parts = parts,
                                               .part_count = sizeof parts / sizeof parts[0],
                                               .metrics = o->metrics,
                                               .collect = collect,
                                               .collect_ctx = o};
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
