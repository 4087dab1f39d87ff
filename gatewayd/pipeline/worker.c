#include "pipeline/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct sg_worker {
    struct sg_worker_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stop, wake;
};

static void *run(void *arg)
{
    struct sg_worker *w = arg;
    pthread_mutex_lock(&w->mutex);
    while (!w->stop) {
        w->wake = false;
        pthread_mutex_unlock(&w->mutex);
        bool more = w->options.round(w->options.ctx);
        pthread_mutex_lock(&w->mutex);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += w->options.poll_ms / 1000;
        until.tv_nsec += w->options.poll_ms % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        while (!more && !w->stop && !w->wake &&
               pthread_cond_timedwait(&w->changed, &w->mutex, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

bool sg_worker_start(const struct sg_worker_options *options, struct sg_worker **worker_r,
                     struct sg_error *err)
{
    struct sg_worker *w = calloc(1, sizeof *w);
    if (!w)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    w->options = *options;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->mutex, NULL);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        free(w);
        return sg_fail(err, SG_E_NO_MEMORY, "no thread for a worker");
    }
    *worker_r = w;
    return true;
}

void sg_worker_wake(struct sg_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->wake = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
}

void sg_worker_stop(struct sg_worker **worker)
{
    struct sg_worker *w = *worker;
    if (!w)
        return;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    *worker = NULL;
}
