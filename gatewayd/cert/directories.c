/*
 * The directories that are configured, in their order. One that stays through a change of the
 * configuration keeps its connections and its circuit; one that goes away ends when the last
 * lookup in it has come back.
 */
#include "cert/cert_internal.h"

#include <stdlib.h>

struct sg_directories {
    const struct sg_cert_limits *limits;
    pthread_mutex_t lock;
    pthread_cond_t gone; /* a directory was freed */
    struct sg_directory **list;
    size_t count, alive;
    uint64_t generation, loaded; /* flushes; the one after which the list was read */
    sg_deadline until;           /* the list serves */
};

void sg_directories_gone(struct sg_directories *all)
{
    pthread_mutex_lock(&all->lock);
    all->alive--;
    pthread_cond_broadcast(&all->gone);
    pthread_mutex_unlock(&all->lock);
}

struct sg_directories *sg_directories_new(const struct sg_cert_limits *limits)
{
    struct sg_directories *all = calloc(1, sizeof *all);
    if (!all)
        abort();
    all->limits = limits;
    pthread_mutex_init(&all->lock, NULL);
    sg_cond_init(&all->gone);
    all->generation = 1;
    return all;
}

void sg_directories_free(struct sg_directories **directories)
{
    struct sg_directories *all = *directories;
    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++)
        sg_directory_close(all->list[i]);
    pthread_mutex_lock(&all->lock);
    while (all->alive > 0) /* until the last lookup has come back */
        pthread_cond_wait(&all->gone, &all->lock);
    pthread_mutex_unlock(&all->lock);
    free(all->list);
    pthread_cond_destroy(&all->gone);
    pthread_mutex_destroy(&all->lock);
    free(all);
    *directories = NULL;
}

void sg_directories_flush(struct sg_directories *all)
{
    pthread_mutex_lock(&all->lock);
    all->generation++;
    pthread_mutex_unlock(&all->lock);
}

/* Under the lock. Keeps those that stay, with their connections and circuits. */
static void replace(struct sg_directories *all, const struct sg_cert_directory *sources,
                    size_t count)
{
    struct sg_directory **fresh = calloc(count + 1, sizeof *fresh);
    if (!fresh)
        abort();
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < all->count && !fresh[i]; j++)
            if (all->list[j] && sg_directory_is(all->list[j], &sources[i])) {
                fresh[i] = all->list[j];
                all->list[j] = NULL;
            }
        if (!fresh[i]) {
            fresh[i] = sg_directory_new(all, all->limits, &sources[i]);
            all->alive++;
        }
    }
    struct sg_directory **old = all->list;
    size_t old_count = all->count;
    all->list = fresh;
    all->count = count;
    pthread_mutex_unlock(&all->lock); /* closing the last reference takes it again */
    for (size_t j = 0; j < old_count; j++)
        if (old[j])
            sg_directory_close(old[j]);
    free(old);
    pthread_mutex_lock(&all->lock);
}

bool sg_directories_get(struct sg_certs *certs, struct sg_arena *arena,
                        struct sg_directory ***list_r, size_t *count_r, struct sg_error *err)
{
    struct sg_directories *all = certs->directories;
    pthread_mutex_lock(&all->lock);
    uint64_t generation = all->generation;
    bool stale = all->loaded < generation || sg_deadline_left(all->until) == 0;
    pthread_mutex_unlock(&all->lock);
    struct sg_cert_directory *sources = NULL;
    size_t count = 0;
    sg_deadline until = sg_deadline_in(all->limits->kept_ms);
    if (stale && !certs->storage.directories(certs->storage.ctx, arena, &sources, &count, err))
        return false;
    pthread_mutex_lock(&all->lock);
    if (stale && all->loaded <= generation) { /* nobody was quicker with a newer list */
        all->loaded = generation;
        all->until = until;
        replace(all, sources, count);
    }
    *list_r = SG_ARENA_ARRAY(arena, struct sg_directory *, all->count + 1);
    *count_r = all->count;
    for (size_t i = 0; i < all->count; i++) {
        (*list_r)[i] = all->list[i];
        sg_directory_hold(all->list[i]);
    }
    pthread_mutex_unlock(&all->lock);
    return true;
}

void sg_directories_state(struct sg_directories *all, struct sg_certs_state *state)
{
    pthread_mutex_lock(&all->lock);
    state->directories = all->count;
    for (size_t i = 0; i < all->count; i++)
        state->directories_away += sg_directory_away(all->list[i]);
    pthread_mutex_unlock(&all->lock);
}
