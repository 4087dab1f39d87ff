/* gatewayd's side: channels, and what is known of earlier couriers. The process is in process.c. */
#include "courier/courier_internal.h"

#include "common/log.h"
#include "common/wait.h"
#include "courierhelper/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTED_MS 30000

/* As enum courier_fault. */
static const char *const kinds[] = {"lost", "hung", "not-read", NULL};

static struct sg_metric faults = {
    .name = "sealgate_gateway_courier_faults_total",
    .help = "Couriers that died or hung, and looks at what earlier ones left that failed, by the "
            "kind that the log gives it (courier.KIND).",
    .labels = {"kind"},
    .values = {kinds},
    .cells = SG_CELLS(COURIER_FAULTS),
    .cell_count = COURIER_FAULTS,
};

struct sg_metric *const sg_courier_metrics[] = {&faults, NULL};

void courier_fault(enum courier_fault kind)
{
    sg_metric_add(&faults, kind, 0, 1);
}

static char *copy(const char *s)
{
    char *c = strdup(s);
    if (!c)
        abort();
    return c;
}

/* Under lock. */
static void kept_read(struct sg_courier *c, int64_t keep_ms)
{
    courier_kept_load(&c->kept, c->dir_fd, c->pid ? c->file : NULL, keep_ms, &c->living,
                      &c->listed);
    atomic_store(&c->knows, c->kept.count > 0 || c->living);
}

static bool dir_open(struct sg_courier *c, struct sg_error *err)
{
    if (mkdir(c->dir, 0700) != 0 && errno != EEXIST)
        return sg_fail_errno(err, SG_E_IO, "cannot make %s", c->dir);
    c->dir_fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->dir_fd >= 0 || sg_fail_errno(err, SG_E_IO, "cannot open %s", c->dir);
}

bool sg_courier_start(const struct sg_courier_options *options, struct sg_courier **courier_r,
                      struct sg_error *err)
{
    struct sg_courier *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->options = *options;
    c->program = copy(options->program);
    c->dir = copy(options->dir);
    c->hostname = copy(options->client.hostname);
    c->dir_fd = -1;
    c->listed_by_ms = sg_deadline_in(LISTED_MS);
    pthread_mutex_init(&c->lock, NULL);
    sg_cond_init(&c->end);
    if (!dir_open(c, err)) {
        sg_courier_stop(&c);
        return false;
    }
    kept_read(c, options->keep_ms);
    if (c->kept.count)
        sg_log(SG_LOG_INFO, "courier.kept", "recipients", sg_log_num((int64_t)c->kept.count), NULL);
    if (!courier_run(c, err) || !courier_watch(c, err)) {
        sg_courier_stop(&c);
        return false;
    }
    *courier_r = c;
    return true;
}

void sg_courier_log_level(struct sg_courier *courier, int level)
{
    pthread_mutex_lock(&courier->lock);
    courier->options.log_level = level;
    courier_say(courier, COURIER_LEVEL, (uint8_t)level);
    pthread_mutex_unlock(&courier->lock);
}

bool sg_courier_listed(struct sg_courier *courier)
{
    pthread_mutex_lock(&courier->lock);
    if (!courier->listed)
        kept_read(courier, 0);
    bool listed = courier->listed || sg_deadline_left(courier->listed_by_ms) == 0;
    pthread_mutex_unlock(&courier->lock);
    return listed;
}

bool sg_courier_knows(struct sg_courier *courier)
{
    return atomic_load(&courier->knows);
}

enum sg_courier_fate sg_courier_fate(struct sg_courier *courier, const uint8_t id[SG_COURIER_ID])
{
    enum sg_courier_fate fate = SG_COURIER_UNKNOWN;
    pthread_mutex_lock(&courier->lock);
    if (courier->living)
        kept_read(courier, 0);
    for (size_t i = 0; i < courier->kept.count; i++)
        if (memcmp(courier->kept.list[i].id, id, SG_COURIER_ID) == 0)
            fate = courier->kept.list[i].fate;
    pthread_mutex_unlock(&courier->lock);
    return fate;
}
