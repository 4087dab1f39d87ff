#include "hsm/guard.h"

#include "common/daemon.h"
#include "common/log.h"
#include "common/wait.h"

#include <pthread.h>
#include <stdlib.h>

#define LOOKS    16 /* within the time that an operation may take */
#define TICK_MIN 10 /* ms */
#define TICK_MAX 250

struct sg_guard {
    struct sg_guard_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool stopping, replaces;
};

static int64_t tick_of(int64_t answer_ms)
{
    int64_t tick = answer_ms / LOOKS;
    return tick < TICK_MIN ? TICK_MIN : tick > TICK_MAX ? TICK_MAX : tick;
}

static void *watch(void *arg)
{
    struct sg_guard *g = arg;
    const struct sg_guard_options *o = &g->options;
    pthread_mutex_lock(&g->mutex);
    while (!g->stopping) {
        (void)!sg_cond_wait(&g->stopped, &g->mutex, sg_deadline_in(tick_of(o->answer_ms)));
        sg_server_answer_overdue(o->server);
        int64_t overdue_ms = sg_pool_watch(o->pool);
        if (overdue_ms < o->replace_ms || g->replaces)
            continue;
        g->replaces = true;
        sg_log(SG_LOG_ERROR, "hsm.replaced", "overdue_ms", sg_log_num(overdue_ms), NULL);
        sg_daemon_stop();
    }
    pthread_mutex_unlock(&g->mutex);
    return NULL;
}

bool sg_guard_start(const struct sg_guard_options *options, struct sg_guard **guard_r,
                    struct sg_error *err)
{
    struct sg_guard *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->options = *options;
    pthread_mutex_init(&g->mutex, NULL);
    sg_cond_init(&g->stopped);
    if (pthread_create(&g->thread, NULL, watch, g) != 0) {
        free(g);
        return sg_fail(err, SG_E_IO, "no thread to watch the HSM");
    }
    *guard_r = g;
    return true;
}

bool sg_guard_replaces(struct sg_guard *g)
{
    pthread_mutex_lock(&g->mutex);
    bool replaces = g->replaces;
    pthread_mutex_unlock(&g->mutex);
    return replaces;
}

void sg_guard_stop(struct sg_guard **guard)
{
    struct sg_guard *g = *guard;
    pthread_mutex_lock(&g->mutex);
    g->stopping = true;
    pthread_cond_signal(&g->stopped);
    pthread_mutex_unlock(&g->mutex);
    pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->stopped);
    pthread_mutex_destroy(&g->mutex);
    free(g);
    *guard = NULL;
}
