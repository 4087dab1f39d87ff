#include "monitor/monitor_internal.h"

#include <stdlib.h>

bool sg_monitor_start(const struct sg_monitor_options *options, struct sg_monitor **monitor_r,
                      struct sg_error *err)
{
    *monitor_r = NULL;
    if (!*options->listen)
        return true;
    struct sg_monitor *m = calloc(1, sizeof *m);
    if (!m)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    m->options = *options;
    pthread_mutex_init(&m->lock, NULL);
    sg_cond_init(&m->changed);
    sg_process_collect(); /* notes when we began */
    *monitor_r = m;
    if (sg_parts_start(m, err) && sg_monitor_http_start(m, err))
        return true;
    sg_monitor_stop(monitor_r);
    return false;
}

void sg_monitor_leave(struct sg_monitor *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    m->leaving = true;
    pthread_mutex_unlock(&m->lock);
}

void sg_monitor_stop(struct sg_monitor **monitor)
{
    struct sg_monitor *m = *monitor;
    if (!m)
        return;
    sg_monitor_http_stop(m);
    sg_parts_stop(m);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
    *monitor = NULL;
}
