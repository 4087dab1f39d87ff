#include "common/cache.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SLOTS       8192 /* of marks */
#define BUCKETS_MAX ((size_t)1 << 20)

enum entry_state { ENTRY_LOADING, ENTRY_READY, ENTRY_FAILED };

struct sg_cache_entry {
    struct sg_cache_entry *chain;         /* of the bucket */
    struct sg_cache_entry *older, *newer; /* by use, when it is ready */
    enum entry_state state;
    bool listed;               /* found by its key */
    int users;                 /* references, and threads that wait for it */
    uint64_t hash, generation; /* of when the load began */
    int64_t loaded_ms;
    struct sg_cache_value value;
    size_t bytes;
    struct sg_error *error; /* of a load that failed */
    size_t key_len;
    uint8_t key[];
};

struct sg_cache {
    struct sg_cache_options options;
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    uint64_t seed, generation; /* generation counts invalidations */
    uint64_t flushed;          /* what was begun before is not good any more */
    uint64_t marks[SLOTS];     /* generation of the last invalidation of each */
    int64_t confirmed_ms;      /* what is there was good then */
    bool open;
    struct sg_cache_entry **buckets;
    size_t mask;
    struct sg_cache_entry *oldest, *newest;
    struct sg_cache_state state;
};

static uint64_t hash_add(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 1099511628211u; /* FNV-1a */
    return h;
}

struct sg_cache *sg_cache_new(const struct sg_cache_options *options)
{
    struct sg_cache *c = calloc(1, sizeof *c);
    size_t buckets = 64;
    while (buckets < options->entries && buckets < BUCKETS_MAX)
        buckets *= 2;
    struct sg_cache_entry **table = calloc(buckets, sizeof *table);
    if (!c || !table)
        abort();
    c->options = *options;
    c->buckets = table;
    c->mask = buckets - 1;
    c->generation = 1;
    /* Keys come from outside as well: nobody is to choose those that meet in one bucket. */
    if (getrandom(&c->seed, sizeof c->seed, 0) != sizeof c->seed)
        abort();
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->loaded, NULL);
    return c;
}

static void entry_free(struct sg_cache *c, struct sg_cache_entry *e)
{
    if (e->state == ENTRY_READY && c->options.free)
        c->options.free(e->value.value);
    free(e->error);
    free(e);
}

static void use_end(struct sg_cache *c, struct sg_cache_entry *e)
{
    if (--e->users == 0 && !e->listed)
        entry_free(c, e);
}

static void by_use_remove(struct sg_cache *c, struct sg_cache_entry *e)
{
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    e->older = e->newer = NULL;
}

static void by_use_add(struct sg_cache *c, struct sg_cache_entry *e)
{
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void list_add(struct sg_cache *c, struct sg_cache_entry *e)
{
    struct sg_cache_entry **bucket = &c->buckets[e->hash & c->mask];
    e->chain = *bucket;
    *bucket = e;
    e->listed = true;
}

/* It is found no more; freed when nobody uses it. */
static void list_remove(struct sg_cache *c, struct sg_cache_entry *e)
{
    struct sg_cache_entry **at = &c->buckets[e->hash & c->mask];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    e->listed = false;
    if (e->state == ENTRY_READY) {
        by_use_remove(c, e);
        c->state.entries--;
        c->state.bytes -= e->bytes;
    }
    if (e->users == 0)
        entry_free(c, e);
}

void sg_cache_free(struct sg_cache **cache)
{
    struct sg_cache *c = *cache;
    if (!c)
        return;
    while (c->oldest)
        list_remove(c, c->oldest);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->loaded);
    free(c->buckets);
    free(c);
    *cache = NULL;
}

static struct sg_cache_entry *find(const struct sg_cache *c, uint64_t hash, struct sg_bytes key)
{
    struct sg_cache_entry *e = c->buckets[hash & c->mask];
    while (e &&
           !(e->hash == hash && e->key_len == key.len && memcmp(e->key, key.data, key.len) == 0))
        e = e->chain;
    return e;
}

static bool is_current(const struct sg_cache *c, const struct sg_cache_entry *e)
{
    int64_t good_ms = e->loaded_ms > c->confirmed_ms ? e->loaded_ms : c->confirmed_ms;
    bool current =
        e->generation >= c->flushed && sg_clock_monotonic_ms() < good_ms + c->options.lifetime_ms;
    for (size_t i = 0; current && i < e->value.mark_count; i++)
        current = c->marks[e->value.marks[i] % SLOTS] <= e->generation;
    return current;
}

static bool room_make(struct sg_cache *c, size_t bytes)
{
    if (bytes > c->options.bytes)
        return false;
    while (c->state.entries + 1 > c->options.entries || c->state.bytes + bytes > c->options.bytes) {
        list_remove(c, c->oldest);
        c->state.evictions++;
    }
    return true;
}

/* A load has ended; with the lock held. */
static void settle(struct sg_cache *c, struct sg_cache_entry *e, bool ok)
{
    bool listed = e->listed;
    if (listed)
        list_remove(c, e);
    e->state = ok ? ENTRY_READY : ENTRY_FAILED;
    e->bytes = sizeof *e + e->key_len + e->value.bytes;
    if (ok && listed && is_current(c, e) && room_make(c, e->bytes)) {
        list_add(c, e);
        by_use_add(c, e);
        c->state.entries++;
        c->state.bytes += e->bytes;
    }
    pthread_cond_broadcast(&c->loaded);
}

static bool result(struct sg_cache *c, struct sg_cache_entry *e, struct sg_cache_ref *ref_r,
                   struct sg_error *err)
{
    if (e->state == ENTRY_READY) {
        *ref_r = (struct sg_cache_ref){e->value.value, e};
        return true;
    }
    if (err)
        *err = *e->error;
    use_end(c, e);
    return false;
}

/* With the lock held: what is there, or is being loaded and was not invalidated since that began.
 */
static struct sg_cache_entry *found(struct sg_cache *c, uint64_t hash, struct sg_bytes key)
{
    struct sg_cache_entry *e = find(c, hash, key);
    if (!e)
        return NULL;
    if (e->state == ENTRY_LOADING ? e->generation == c->generation : is_current(c, e))
        return e;
    c->state.invalidated++;
    list_remove(c, e);
    return NULL;
}

static struct sg_cache_entry *entry_new(struct sg_cache *c, uint64_t hash, struct sg_bytes key)
{
    struct sg_cache_entry *e = calloc(1, sizeof *e + key.len);
    if (!e)
        abort();
    e->users = 1;
    e->hash = hash;
    e->generation = c->generation;
    e->loaded_ms = sg_clock_monotonic_ms();
    e->key_len = key.len;
    if (key.len)
        memcpy(e->key, key.data, key.len);
    return e;
}

bool sg_cache_get(struct sg_cache *c, struct sg_bytes key, sg_cache_load load, void *arg,
                  struct sg_cache_ref *ref_r, struct sg_error *err)
{
    uint64_t hash = hash_add(c->seed, key.data, key.len);
    *ref_r = (struct sg_cache_ref){0};
    pthread_mutex_lock(&c->lock);
    bool kept = c->open && c->options.entries > 0 && c->options.lifetime_ms > 0;
    struct sg_cache_entry *e = kept ? found(c, hash, key) : NULL;
    if (e) {
        e->users++;
        c->state.hits++;
        if (e->state == ENTRY_READY) {
            by_use_remove(c, e);
            by_use_add(c, e);
        } else {
            c->state.waits++;
        }
        while (e->state == ENTRY_LOADING)
            pthread_cond_wait(&c->loaded, &c->lock);
    } else {
        e = entry_new(c, hash, key);
        c->state.misses++;
        if (kept)
            list_add(c, e);
        pthread_mutex_unlock(&c->lock);
        struct sg_error why = {0};
        bool ok = load(arg, &e->value, &why);
        if (!ok && !(e->error = malloc(sizeof why)))
            abort();
        if (!ok)
            *e->error = why;
        pthread_mutex_lock(&c->lock);
        settle(c, e, ok);
    }
    bool ok = result(c, e, ref_r, err);
    pthread_mutex_unlock(&c->lock);
    return ok;
}

void sg_cache_release(struct sg_cache *c, struct sg_cache_ref *ref)
{
    if (!ref->entry)
        return;
    pthread_mutex_lock(&c->lock);
    use_end(c, ref->entry);
    pthread_mutex_unlock(&c->lock);
    *ref = (struct sg_cache_ref){0};
}

uint32_t sg_cache_mark_of(const char *a, struct sg_bytes b)
{
    uint64_t h = hash_add(14695981039346656037u, a, strlen(a) + 1);
    h = b.data ? hash_add(h, b.data, b.len) : h;
    return (uint32_t)(h ^ h >> 32);
}

void sg_cache_mark(struct sg_cache *c, uint32_t mark)
{
    pthread_mutex_lock(&c->lock);
    c->marks[mark % SLOTS] = ++c->generation;
    pthread_mutex_unlock(&c->lock);
}

void sg_cache_confirm(struct sg_cache *c, int64_t at_ms)
{
    pthread_mutex_lock(&c->lock);
    c->confirmed_ms = at_ms;
    pthread_mutex_unlock(&c->lock);
}

void sg_cache_flush(struct sg_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->flushed = ++c->generation;
    while (c->oldest)
        list_remove(c, c->oldest);
    pthread_mutex_unlock(&c->lock);
}

void sg_cache_open(struct sg_cache *c, bool open)
{
    pthread_mutex_lock(&c->lock);
    c->open = open;
    pthread_mutex_unlock(&c->lock);
}

void sg_cache_state(struct sg_cache *c, struct sg_cache_state *state_r)
{
    pthread_mutex_lock(&c->lock);
    *state_r = c->state;
    pthread_mutex_unlock(&c->lock);
}
