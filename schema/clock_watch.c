#include "schema/clock_watch.h"

#include "common/log.h"
#include "common/wait.h"
#include "schema/db_internal.h"
#include "schema/incident.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOST_MAX 64

static struct sg_metric synchronised = {
    .name = "sealgate_clock_synchronised",
    .help = "Whether the kernel's clock is kept to UTC and agrees with the database's.",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric error_seconds = {
    .name = "sealgate_clock_error_seconds",
    .help = "By how much the clock may be wrong, as whoever keeps it estimates.",
    .type = SG_GAUGE,
    .unit = 1000000,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric offset_seconds = {
    .name = "sealgate_clock_offset_seconds",
    .help = "What of the clock's error is being corrected.",
    .type = SG_GAUGE,
    .unit = 1000000,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric database_seconds = {
    .name = "sealgate_clock_database_offset_seconds",
    .help = "How far PostgreSQL's clock is ahead of this host's.",
    .type = SG_GAUGE,
    .unit = 1000000,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};

struct sg_metric *const sg_clock_metrics[] = {&synchronised, &error_seconds, &offset_seconds,
                                              &database_seconds, NULL};

struct sg_clock_watch {
    struct sg_clock_watch_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    pthread_t thread;
    char host[HOST_MAX];
    /* The thread's. */
    bool known, good;     /* as it was logged last */
    bool written;         /* and stands in the database as an incident, or as none */
    int64_t bad_since_ms; /* 0: good */
};

const char *sg_clock_judge(const struct sg_clock_sync *sync, bool compared, int64_t away_us,
                           int64_t tolerance_ms, char words[200])
{
    int64_t tolerance_us = tolerance_ms * 1000;
    if (!sync->synchronised)
        snprintf(words, 200,
                 "the kernel's clock is not synchronised: is chrony running, with "
                 "rtcsync, and does it reach its servers?");
    else if (sync->error_us > tolerance_us || llabs(sync->offset_us) > tolerance_us)
        snprintf(words, 200,
                 "the clock may be wrong by %" PRId64 " ms (still to be corrected: %" PRId64 " ms)",
                 sync->error_us / 1000, sync->offset_us / 1000);
    else if (compared && llabs(away_us) > tolerance_us)
        snprintf(words, 200, "PostgreSQL's clock is %s by %" PRId64 " ms or more",
                 away_us > 0 ? "ahead" : "behind", (int64_t)llabs(away_us) / 1000);
    else
        return NULL;
    return words;
}

static bool clock_take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(sg_time *)arg = sg_row_time(r);
    return true;
}

/* Between asking and the answer the server's clock was read: it is away by what lies outside. */
static bool database_compare(struct sg_clock_watch *w, int64_t elsewhere_us, int64_t *away_r)
{
    struct sg_error err = {0};
    sg_time there = 0, before = sg_clock_real();
    if (!sg_db_read(w->options.db, NULL, SG_Q_CLOCK_ASK, NULL, clock_take, &there, &err))
        return false;
    sg_time after = sg_clock_real();
    there += elsewhere_us;
    sg_metric_set(&database_seconds, 0, 0, there - (before + (after - before) / 2));
    *away_r = there > after ? there - after : there < before ? there - before : 0;
    return true;
}

struct news {
    struct sg_clock_watch *watch;
    const char *words; /* NULL: all is well */
};

static bool write_down(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct news *n = arg;
    char key[HOST_MAX + 32], summary[HOST_MAX + 240];
    snprintf(key, sizeof key, "clock.unsynchronised %s", n->watch->host);
    if (!n->words)
        return sg_incident_resolve(tx, key, "the clock is right again", err);
    snprintf(summary, sizeof summary, "%s: %s", n->watch->host, n->words);
    const struct sg_incident_new incident = {.kind = "clock.unsynchronised",
                                             .severity = "warning",
                                             .summary = summary,
                                             .dedup_key = key};
    return sg_incident_open(tx, &incident, err);
}

static void tell(struct sg_clock_watch *w, const char *words, const struct sg_clock_sync *sync)
{
    bool good = !words;
    if (w->known && w->good == good)
        return;
    w->known = true;
    w->good = good;
    w->written = false;
    sg_log(good ? SG_LOG_INFO : SG_LOG_WARNING,
           good ? "clock.synchronised" : "clock.unsynchronised", "what", words, "error_us",
           sg_log_num(sync->error_us), "offset_us", sg_log_num(sync->offset_us), NULL);
}

static void look(struct sg_clock_watch *w)
{
    struct sg_clock_sync sync;
    struct sg_error err = {0};
    char words[200];
    int64_t away_us = 0, now_ms = sg_clock_monotonic_ms();
    if (!sg_clock_sync_read(&sync, &err)) {
        sg_log_error(SG_LOG_WARNING, "clock.unknown", &err, NULL);
        return;
    }
    bool compared = database_compare(w, sync.elsewhere_us, &away_us);
    const char *wrong = sg_clock_judge(&sync, compared, away_us, w->options.tolerance_ms, words);
    sg_metric_set(&synchronised, 0, 0, !wrong);
    sg_metric_set(&error_seconds, 0, 0, sync.error_us);
    sg_metric_set(&offset_seconds, 0, 0, sync.offset_us);
    tell(w, wrong, &sync);
    if (!wrong)
        w->bad_since_ms = 0;
    else if (w->bad_since_ms == 0)
        w->bad_since_ms = now_ms;
    if (w->written || (wrong && now_ms - w->bad_since_ms < w->options.grace_ms))
        return;
    struct news news = {w, wrong};
    w->written = sg_db_transact(w->options.db, NULL, write_down, &news, &err);
}

static void *run(void *arg)
{
    struct sg_clock_watch *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        pthread_mutex_unlock(&w->lock);
        look(w);
        pthread_mutex_lock(&w->lock);
        sg_deadline next = sg_deadline_in(w->options.interval_ms);
        while (!w->stopping && sg_cond_wait(&w->changed, &w->lock, next))
            ;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool sg_clock_watch_start(const struct sg_clock_watch_options *options,
                          struct sg_clock_watch **watch_r, struct sg_error *err)
{
    *watch_r = NULL;
    if (options->interval_ms == 0)
        return true;
    struct sg_clock_watch *w = calloc(1, sizeof *w);
    if (!w)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    w->options = *options;
    if (gethostname(w->host, sizeof w->host - 1) != 0)
        snprintf(w->host, sizeof w->host, "unknown");
    pthread_mutex_init(&w->lock, NULL);
    sg_cond_init(&w->changed);
    errno = pthread_create(&w->thread, NULL, run, w);
    if (errno != 0) {
        free(w);
        return sg_fail_errno(err, SG_E_IO, "no thread to watch the clock");
    }
    *watch_r = w;
    return true;
}

void sg_clock_watch_stop(struct sg_clock_watch **watch)
{
    struct sg_clock_watch *w = *watch;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *watch = NULL;
}
