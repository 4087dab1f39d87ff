#include "common/watch.h"

#include "common/clock.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sg_watch *first;

void sg_watch_enter(struct sg_watch *watch, const char *name, int64_t limit_ms)
{
    watch->name = name;
    watch->limit_ms = limit_ms;
    atomic_store(&watch->since_ms, 0);
    pthread_mutex_lock(&lock);
    watch->next = first;
    watch->at = &first;
    if (first)
        first->at = &watch->next;
    first = watch;
    pthread_mutex_unlock(&lock);
}

void sg_watch_leave(struct sg_watch *watch)
{
    pthread_mutex_lock(&lock);
    *watch->at = watch->next;
    if (watch->next)
        watch->next->at = watch->at;
    pthread_mutex_unlock(&lock);
}

void sg_watch_begin(struct sg_watch *watch)
{
    atomic_store_explicit(&watch->since_ms, sg_clock_monotonic_ms(), memory_order_relaxed);
}

void sg_watch_end(struct sg_watch *watch)
{
    atomic_store_explicit(&watch->since_ms, 0, memory_order_relaxed);
}

static struct sg_watch_state *state_of(struct sg_watch_state *states, int *count, const char *name)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(states[i].name, name) == 0)
            return &states[i];
    if (*count == SG_WATCH_NAMES)
        return NULL;
    states[*count] = (struct sg_watch_state){.name = name};
    return &states[(*count)++];
}

int sg_watch_states(struct sg_watch_state states[SG_WATCH_NAMES])
{
    int count = 0;
    pthread_mutex_lock(&lock);
    int64_t now = sg_clock_monotonic_ms();
    for (const struct sg_watch *w = first; w; w = w->next) {
        struct sg_watch_state *s = state_of(states, &count, w->name);
        int64_t since = atomic_load_explicit(&w->since_ms, memory_order_relaxed);
        int64_t busy_ms = since ? now - since : 0;
        if (!s)
            continue;
        s->threads++;
        s->busy += since != 0;
        s->stuck += busy_ms > w->limit_ms;
        if (busy_ms > s->longest_ms)
            s->longest_ms = busy_ms;
    }
    pthread_mutex_unlock(&lock);
    return count;
}
