#include "hsm/cache.h"

#include "common/wait.h"

#include <stdlib.h>
#include <string.h>

enum state { LOADING, USABLE, GONE /* out of the table; freed by its last user */ };

struct sg_entry {
    uint8_t name[SG_CACHE_NAME];
    enum state state;
    bool drop;  /* a handle of ours that must be dropped with the entry */
    bool again; /* used since it came, or since the hand was at it */
    unsigned generation;
    int users;
    CK_OBJECT_HANDLE handle;
    struct sg_public_key public;
    struct sg_entry *chain;         /* of the bucket */
    struct sg_entry *newer, *older; /* by when it came */
};

struct sg_cache {
    size_t size, count, bucket_count;
    sg_cache_drop drop;
    pthread_mutex_t mutex;
    pthread_cond_t loaded;
    struct sg_entry **buckets;
    struct sg_entry *newest, *oldest;
    struct sg_entry *hand; /* goes from the oldest to the newest, and again; NULL: to the oldest */
};

struct sg_cache *sg_cache_new(size_t size, sg_cache_drop drop)
{
    struct sg_cache *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->size = size;
    c->drop = drop;
    c->bucket_count = size < 64 ? 64 : size;
    c->buckets = calloc(c->bucket_count, sizeof *c->buckets);
    if (!c->buckets)
        abort();
    pthread_mutex_init(&c->mutex, NULL);
    sg_cond_init(&c->loaded);
    return c;
}

void sg_cache_free(struct sg_cache **cache)
{
    struct sg_cache *c = *cache;
    if (!c)
        return;
    for (struct sg_entry *e = c->newest, *older; e; e = older) {
        older = e->older;
        free(e);
    }
    pthread_cond_destroy(&c->loaded);
    pthread_mutex_destroy(&c->mutex);
    free(c->buckets);
    free(c);
    *cache = NULL;
}

/* Table and order, with the mutex held --------------------------------------------------------- */

static struct sg_entry **bucket_of(struct sg_cache *c, const uint8_t *name)
{
    uint64_t h; /* names are digests already */
    memcpy(&h, name, sizeof h);
    return &c->buckets[h % c->bucket_count];
}

static struct sg_entry *lookup(struct sg_cache *c, const uint8_t *name)
{
    struct sg_entry *e = *bucket_of(c, name);
    while (e && memcmp(e->name, name, SG_CACHE_NAME) != 0)
        e = e->chain;
    return e;
}

static void order_remove(struct sg_cache *c, struct sg_entry *e)
{
    if (c->hand == e)
        c->hand = e->newer;
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void order_add(struct sg_cache *c, struct sg_entry *e)
{
    e->older = c->newest;
    e->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

/* Out of the table. Its memory stays as long as somebody uses it. */
static void detach(struct sg_cache *c, struct sg_entry *e)
{
    struct sg_entry **at = bucket_of(c, e->name);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    order_remove(c, e);
    c->count--;
    e->chain = NULL;
    e->state = GONE;
}

/* Detached entries that nobody uses, linked by chain; their handles are dropped without the lock.
 */
static void bury(struct sg_entry *dead, sg_cache_drop drop, void *context)
{
    while (dead) {
        struct sg_entry *next = dead->chain;
        if (dead->drop && drop)
            drop(context, dead->handle);
        free(dead);
        dead = next;
    }
}

/*
 * Detaches what is above the size: the hand passes by what is in use, and once by what was used
 * again. Only those of the generation have handles.
 */
static struct sg_entry *shrink(struct sg_cache *c, size_t size, unsigned generation)
{
    struct sg_entry *dead = NULL;
    for (size_t looks = 2 * c->count; looks > 0 && c->count > size; looks--) {
        struct sg_entry *e = c->hand ? c->hand : c->oldest;
        c->hand = e->newer;
        bool stays = e->users > 0 || e->again;
        if (e->users == 0)
            e->again = false;
        if (stays)
            continue;
        detach(c, e);
        e->drop = e->drop && e->generation == generation;
        e->chain = dead;
        dead = e;
    }
    return dead;
}

/* ---------------------------------------------------------------------------------------------- */

static struct sg_entry *entry_new(struct sg_cache *c, const uint8_t *name, unsigned generation)
{
    struct sg_entry *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    memcpy(e->name, name, SG_CACHE_NAME);
    e->generation = generation;
    e->state = LOADING;
    e->users = 1;
    struct sg_entry **bucket = bucket_of(c, name);
    e->chain = *bucket;
    *bucket = e;
    order_add(c, e);
    c->count++;
    return e;
}

enum sg_cache_found sg_cache_get(struct sg_cache *c, const uint8_t name[SG_CACHE_NAME],
                                 unsigned generation, sg_deadline deadline, void *context,
                                 struct sg_entry **entry_r)
{
    enum sg_cache_found found = SG_CACHE_TIMEOUT;
    struct sg_entry *dead = NULL;
    *entry_r = NULL;
    pthread_mutex_lock(&c->mutex);
    for (;;) {
        struct sg_entry *e = lookup(c, name);
        if (e && e->generation != generation) {
            detach(c, e);
            e->drop = false;
            if (e->users == 0)
                free(e);
            continue;
        }
        if (!e) {
            *entry_r = entry_new(c, name, generation);
            found = SG_CACHE_LOAD;
            dead = shrink(c, c->size, generation);
            break;
        }
        if (e->state == USABLE) {
            e->users++;
            e->again = true;
            *entry_r = e;
            found = SG_CACHE_HIT;
            break;
        }
        if (!sg_cond_wait(&c->loaded, &c->mutex, deadline))
            break;
    }
    pthread_mutex_unlock(&c->mutex);
    bury(dead, c->drop, context);
    return found;
}

void sg_cache_loaded(struct sg_cache *c, struct sg_entry *e, CK_OBJECT_HANDLE handle,
                     const struct sg_public_key *public)
{
    pthread_mutex_lock(&c->mutex);
    e->handle = handle;
    e->public = *public;
    e->drop = true;
    if (e->state == LOADING)
        e->state = USABLE;
    pthread_cond_broadcast(&c->loaded);
    pthread_mutex_unlock(&c->mutex);
}

void sg_cache_failed(struct sg_cache *c, struct sg_entry *e)
{
    sg_cache_put(c, e, true, NULL);
}

void sg_cache_put(struct sg_cache *c, struct sg_entry *e, bool forget, void *context)
{
    struct sg_entry *dead = NULL;
    pthread_mutex_lock(&c->mutex);
    if (forget)
        e->drop = false;
    if (forget && e->state != GONE) {
        detach(c, e);
        pthread_cond_broadcast(&c->loaded);
    }
    if (--e->users == 0) {
        if (e->state == GONE) {
            dead = e;
            dead->chain = NULL;
        } else {
            dead = shrink(c, c->size, e->generation);
        }
    }
    pthread_mutex_unlock(&c->mutex);
    bury(dead, c->drop, context);
}

void sg_cache_remove(struct sg_cache *c, const uint8_t name[SG_CACHE_NAME], unsigned generation,
                     void *context)
{
    struct sg_entry *dead = NULL;
    pthread_mutex_lock(&c->mutex);
    struct sg_entry *e = lookup(c, name);
    if (e) {
        detach(c, e);
        e->drop = e->drop && e->generation == generation;
        pthread_cond_broadcast(&c->loaded);
        if (e->users == 0)
            dead = e;
    }
    pthread_mutex_unlock(&c->mutex);
    bury(dead, c->drop, context);
}

bool sg_cache_evict(struct sg_cache *c, unsigned generation, void *context)
{
    struct sg_entry *dead = NULL;
    pthread_mutex_lock(&c->mutex);
    if (c->count)
        dead = shrink(c, c->count - 1 - c->count / 8, generation);
    pthread_mutex_unlock(&c->mutex);
    bury(dead, c->drop, context);
    return dead != NULL;
}

CK_OBJECT_HANDLE sg_entry_handle(const struct sg_entry *entry)
{
    return entry->handle;
}

const struct sg_public_key *sg_entry_public(const struct sg_entry *entry)
{
    return &entry->public;
}
