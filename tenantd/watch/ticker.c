#include "watch/ticker.h"

#include "common/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct sg_ticker {
    sg_tick_fn tick;
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, woken;
    pthread_t thread;
};

static void *run(void *arg)
{
    struct sg_ticker *t = arg;
    pthread_mutex_lock(&t->lock);
    while (!t->stopping) {
        t->woken = false;
        pthread_mutex_unlock(&t->lock);
        int64_t until = sg_clock_monotonic_ms() + t->tick(t->ctx);
        struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
        pthread_mutex_lock(&t->lock);
        while (!t->stopping && !t->woken &&
               pthread_cond_timedwait(&t->changed, &t->lock, &at) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

bool sg_ticker_start(sg_tick_fn tick, void *ctx, struct sg_ticker **ticker_r, struct sg_error *err)
{
    struct sg_ticker *t = calloc(1, sizeof *t);
    if (!t)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    t->tick = tick;
    t->ctx = ctx;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    errno = pthread_create(&t->thread, NULL, run, t);
    if (errno != 0) {
        free(t);
        return sg_fail_errno(err, SG_E_IO, "cannot start a thread");
    }
    *ticker_r = t;
    return true;
}

static void wake(struct sg_ticker *t, bool stop)
{
    pthread_mutex_lock(&t->lock);
    t->woken = true;
    t->stopping = t->stopping || stop;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void sg_ticker_wake(struct sg_ticker *t)
{
    if (t)
        wake(t, false);
}

void sg_ticker_stop(struct sg_ticker **ticker)
{
    struct sg_ticker *t = *ticker;
    if (!t)
        return;
    wake(t, true);
    pthread_join(t->thread, NULL);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
    free(t);
    *ticker = NULL;
}
