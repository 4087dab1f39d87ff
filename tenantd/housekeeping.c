#include "housekeeping.h"

#include "certlife/certlife.h"
#include "common/log.h"
#include "schema/migrate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define EVERY_MS (60 * 60 * 1000)
#define AGAIN_MS 5000

struct housekeeping {
    struct sg_db *db;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, woken;
    pthread_t thread;
};

static bool keep(struct housekeeping *k)
{
    struct sg_error err = {0};
    sg_time now = sg_clock_now();
    bool ok = sg_partitions_ensure(k->db, now, &err) && sg_archive_key_ensure(k->db, now, &err);
    if (!ok)
        sg_log_error(SG_LOG_WARNING, "housekeeping.failed", &err, NULL);
    return ok;
}

static void *run(void *arg)
{
    struct housekeeping *k = arg;
    pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        k->woken = false;
        pthread_mutex_unlock(&k->lock);
        int64_t until = sg_clock_monotonic_ms() + (keep(k) ? EVERY_MS : AGAIN_MS);
        pthread_mutex_lock(&k->lock);
        struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
        while (!k->stopping && !k->woken &&
               pthread_cond_timedwait(&k->changed, &k->lock, &at) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static void wake(struct housekeeping *k, bool stop)
{
    pthread_mutex_lock(&k->lock);
    k->woken = true;
    k->stopping = k->stopping || stop;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

bool housekeeping_start(struct sg_db *db, struct housekeeping **keeping_r, struct sg_error *err)
{
    struct housekeeping *k = calloc(1, sizeof *k);
    if (!k)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    k->db = db;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, &attr);
    pthread_condattr_destroy(&attr);
    errno = pthread_create(&k->thread, NULL, run, k);
    if (errno != 0) {
        free(k);
        return sg_fail_errno(err, SG_E_IO, "cannot start housekeeping");
    }
    *keeping_r = k;
    return true;
}

void housekeeping_wake(struct housekeeping *k)
{
    wake(k, false);
}

void housekeeping_stop(struct housekeeping **keeping)
{
    struct housekeeping *k = *keeping;
    if (!k)
        return;
    wake(k, true);
    pthread_join(k->thread, NULL);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->changed);
    free(k);
    *keeping = NULL;
}
