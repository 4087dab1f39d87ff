#include "hsm/metrics.h"

#include "hsm/pool.h"

/* In the order of enum sg_hsm_op. */
static const char *const operations[] = {"none",    "health",  "generate", "sign",
                                         "decrypt", "csr",     "public",   "make",
                                         "open",    "destroy", NULL};
static const char *const results[] = {"ok", "failed", "denied", "unavailable", NULL};
static const char *const caches[] = {"token", "wrapped", NULL};
static const char *const founds[] = {"hit", "load", "timeout", NULL}; /* enum sg_cache_found */
static const char *const states[] = {"busy", "idle", "limit", "stuck", NULL};
#define RESULTS  4
#define CACHES   2
#define FOUNDS   3
#define SESSIONS 4

static struct sg_metric done = {
    .name = "sealgate_hsm_operations_total",
    .help = "Operations by what became of them; denied: by the rules, or no request.",
    .labels = {"operation", "result"},
    .values = {operations, results},
    .cells = SG_CELLS(SG_HSM_OPS * RESULTS),
    .cell_count = SG_HSM_OPS * RESULTS,
};
static struct sg_metric seconds = {
    .name = "sealgate_hsm_operation_seconds",
    .help = "How long operations took, waiting for a session included.",
    .type = SG_HISTOGRAM,
    .unit = 1000000,
    .labels = {"operation"},
    .values = {operations},
    .bounds = sg_seconds_bounds,
    .cells = SG_CELLS(SG_HSM_OPS * (SG_SECONDS_BOUNDS + 2)),
    .cell_count = SG_HSM_OPS * (SG_SECONDS_BOUNDS + 2),
};
static struct sg_metric cached = {
    .name = "sealgate_hsm_cache_total",
    .help = "Lookups of keys in the caches of handles.",
    .labels = {"cache", "found"},
    .values = {caches, founds},
    .cells = SG_CELLS(CACHES * FOUNDS),
    .cell_count = CACHES * FOUNDS,
};
static struct sg_metric sessions = {
    .name = "sealgate_hsm_sessions",
    .help = "Sessions with the token; stuck: calls into the module that are overdue.",
    .type = SG_GAUGE,
    .labels = {"state"},
    .values = {states},
    .cells = SG_CELLS(SESSIONS),
    .cell_count = SESSIONS,
};
static struct sg_metric circuit = {
    .name = "sealgate_hsm_circuit_open",
    .help = "1: the HSM was lost or hangs, and operations fail at once.",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric logins = {
    .name = "sealgate_hsm_logins_total",
    .help = "Logins to the token; more than one: it was lost and came back.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};

static struct sg_metric unanswered = {
    .name = "sealgate_hsm_unanswered_total",
    .help = "Operations whose callers were told that the HSM is not available, for it had not "
            "answered in time.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric locked = {
    .name = "sealgate_hsm_memory_locked",
    .help = "1: the memory of hsmd, with keys and the PIN, is never written into swap.",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};

struct sg_metric *const sg_hsm_metrics[] = {&done,   &seconds,    &cached, &sessions, &circuit,
                                            &logins, &unanswered, &locked, NULL};

void sg_hsm_count(enum sg_hsm_op op, const struct sg_error *err, int64_t began_us)
{
    size_t result = err->code == SG_OK                  ? 0
                    : err->code == SG_E_HSM_UNAVAILABLE ? 3
                    : err->code == SG_E_HSM_DENIED      ? 2
                                                        : 1;
    sg_metric_add(&done, op, result, 1);
    sg_metric_since(&seconds, op, 0, began_us);
}

void sg_hsm_count_unanswered(void)
{
    sg_metric_add(&unanswered, 0, 0, 1);
}

void sg_hsm_count_cache(enum sg_hsm_cache_name cache, enum sg_cache_found found)
{
    sg_metric_add(&cached, cache, found, 1);
}

void sg_hsm_show_memory(bool is_locked)
{
    sg_metric_set(&locked, 0, 0, is_locked);
}

void sg_hsm_metrics_collect(struct sg_pool *pool)
{
    struct sg_pool_state state = sg_pool_state(pool);
    sg_metric_set(&sessions, 0, 0, state.busy);
    sg_metric_set(&sessions, 1, 0, state.idle);
    sg_metric_set(&sessions, 2, 0, state.limit);
    sg_metric_set(&sessions, 3, 0, state.stuck);
    sg_metric_set(&circuit, 0, 0, state.broken);
    sg_metric_set(&logins, 0, 0, state.logins);
}
