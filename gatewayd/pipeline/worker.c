#include "pipeline/worker.h"

#include "common/wait.h"
#include "common/watch.h"

#include <stdlib.h>

#define ROUND_LIMIT_MS (15 * 60 * 1000) /* many messages, each with its deadlines */

struct sg_worker {
    struct sg_worker_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stop, wake;
    struct sg_watch watch;
};

static void *run(void *arg)
{
    struct sg_worker *w = arg;
    pthread_mutex_lock(&w->mutex);
    while (!w->stop) {
        w->wake = false;
        pthread_mutex_unlock(&w->mutex);
        sg_watch_begin(&w->watch);
        bool more = w->options.round(w->options.ctx);
        sg_watch_end(&w->watch);
        pthread_mutex_lock(&w->mutex);
        sg_deadline next = sg_deadline_in(w->options.poll_ms);
        while (!more && !w->stop && !w->wake && sg_cond_wait(&w->changed, &w->mutex, next))
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
    sg_cond_init(&w->changed);
    pthread_mutex_init(&w->mutex, NULL);
    sg_watch_enter(&w->watch, options->name, ROUND_LIMIT_MS);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        sg_watch_leave(&w->watch);
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
    sg_watch_leave(&w->watch);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    *worker = NULL;
}
