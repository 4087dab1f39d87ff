#include "smtp/pool.h"

#include "common/log.h"
#include "smtp/tls.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

struct smtp_place {
    struct smtp_place *next;
    struct sg_smtp_destination destination; /* with strings of its own, without the networks */
    uint64_t within;                        /* their version; 0: anywhere */
    int used, waiting;
    int64_t moved_ms, gap_ms;     /* a slot was last taken or given; how long that took of late */
    struct smtp_connection *kept; /* the youngest first */
    SSL_CTX *tls;
};

struct smtp_pool {
    int slots, connections;
    int64_t idle_ms;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t freed; /* a slot was */
    pthread_cond_t kept;  /* for the janitor: one was that ends before it looks, or it is over */
    sg_deadline looks_at; /* when the janitor does next */
    struct smtp_place *places;
    int shared; /* used of all places that share */
    bool ending, has_janitor;
    pthread_t janitor;
};

static char *copy(const char *s)
{
    char *c = strdup(s ? s : "");
    if (!c)
        abort();
    return c;
}

static struct timespec monotonic(sg_deadline deadline)
{
    return (struct timespec){.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
}

/* Which networks a connection was made within: one that leads outside is not taken for others. */
static uint64_t within(const struct sg_smtp_destination *d)
{
    return d->within ? sg_networks_version(d->within) : 0;
}

static bool same(const struct smtp_place *p, const struct sg_smtp_destination *b)
{
    const struct sg_smtp_destination *a = &p->destination;
    return p->within == within(b) && a->port == b->port && a->lmtp == b->lmtp && a->tls == b->tls &&
           strcmp(a->host, b->host) == 0 && strcmp(a->ca_pem, b->ca_pem ? b->ca_pem : "") == 0 &&
           strcmp(a->owner, b->owner ? b->owner : "") == 0;
}

static struct smtp_place *place_get(struct smtp_pool *pool, const struct sg_smtp_destination *d)
{
    for (struct smtp_place *p = pool->places; p; p = p->next)
        if (same(p, d))
            return p;
    struct smtp_place *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->destination = *d;
    p->destination.within = NULL;
    p->within = within(d);
    p->destination.host = copy(d->host);
    p->destination.ca_pem = copy(d->ca_pem);
    p->destination.owner = copy(d->owner);
    p->next = pool->places;
    pool->places = p;
    return p;
}

/* A place that nobody needs goes, so that there are never more than destinations in use. */
static void place_drop(struct smtp_pool *pool, struct smtp_place *place)
{
    if (place->used || place->waiting || place->kept)
        return;
    struct smtp_place **p = &pool->places;
    while (*p != place)
        p = &(*p)->next;
    *p = place->next;
    free((char *)place->destination.host);
    free((char *)place->destination.ca_pem);
    free((char *)place->destination.owner);
    SSL_CTX_free(place->tls);
    free(place);
}

static void close_list(struct smtp_connection *list)
{
    while (list) {
        struct smtp_connection *c = list;
        list = c->next;
        smtp_connection_close(&c);
    }
}

/* Takes out what has rested too long; *next_r is when the next one will have. */
static struct smtp_connection *take_expired(struct smtp_pool *pool, sg_deadline *next_r)
{
    struct smtp_connection *out = NULL;
    sg_deadline now = sg_clock_monotonic_ms();
    *next_r = now + 3600000;
    for (struct smtp_place *p = pool->places, *after; p; p = after) {
        after = p->next;
        for (struct smtp_connection **at = &p->kept; *at;) {
            struct smtp_connection *c = *at;
            if (c->expires <= now || pool->ending) {
                *at = c->next;
                c->next = out;
                out = c;
            } else {
                *next_r = c->expires < *next_r ? c->expires : *next_r;
                at = &c->next;
            }
        }
        place_drop(pool, p);
    }
    return out;
}

static void *janitor_main(void *arg)
{
    struct smtp_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    while (!pool->ending) {
        sg_deadline next;
        struct smtp_connection *expired = take_expired(pool, &next);
        if (expired) {
            pthread_mutex_unlock(&pool->lock);
            close_list(expired);
            pthread_mutex_lock(&pool->lock);
            continue;
        }
        struct timespec until = monotonic(next);
        pool->looks_at = next;
        pthread_cond_timedwait(&pool->kept, &pool->lock, &until);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct smtp_pool *smtp_pool_new(int slots, int connections, int64_t idle_ms)
{
    struct smtp_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        abort();
    pool->slots = slots < 1 ? 1 : slots;
    pool->connections = connections;
    pool->idle_ms = idle_ms;
    pthread_condattr_t clock;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->freed, &clock);
    pthread_cond_init(&pool->kept, &clock);
    pthread_condattr_destroy(&clock);
    pool->has_janitor = pthread_create(&pool->janitor, NULL, janitor_main, pool) == 0;
    if (!pool->has_janitor) {
        pool->idle_ms = 0; /* nobody would close them: keep none */
        sg_log(SG_LOG_WARNING, "smtp.no-janitor", NULL);
    }
    return pool;
}

void smtp_pool_free(struct smtp_pool **pool)
{
    struct smtp_pool *p = *pool;
    if (!p)
        return;
    sg_deadline next;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_signal(&p->kept);
    struct smtp_connection *all = take_expired(p, &next);
    pthread_mutex_unlock(&p->lock);
    if (p->has_janitor)
        pthread_join(p->janitor, NULL);
    close_list(all);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->freed);
    pthread_cond_destroy(&p->kept);
    free(p);
    *pool = NULL;
}

static bool shares(const struct smtp_place *place)
{
    return place->destination.own_wait_ms == 0;
}

/* Has the place's owner what all of his may have together? A first one he may always have. */
static bool owner_is_full(const struct smtp_pool *pool, const struct smtp_place *place)
{
    int used = 0;
    for (const struct smtp_place *p = pool->places; p; p = p->next)
        if (shares(p) && strcmp(p->destination.owner, place->destination.owner) == 0)
            used += p->used;
    return *place->destination.owner && used && used >= pool->connections / 2;
}

/* May the place have another connection? */
static bool has_room(const struct smtp_pool *pool, const struct smtp_place *place)
{
    if (place->used >= pool->slots)
        return false;
    if (!shares(place) || !pool->connections)
        return true;
    return (place->used == 0 || place->used < (pool->connections - pool->shared) / 2) &&
           !owner_is_full(pool, place);
}

/* How long one more would wait: as long as it took of late until a slot came back, or as long as
 * none has, for each who waits. */
static int64_t wait_guess(const struct smtp_place *place)
{
    int64_t still = sg_clock_monotonic_ms() - place->moved_ms;
    return (place->waiting + 1) * (still > place->gap_ms ? still : place->gap_ms);
}

/* Waits until the place has room. */
static bool slot_wait(struct smtp_pool *pool, struct smtp_place *place, sg_deadline deadline)
{
    struct timespec until = monotonic(deadline);
    if (has_room(pool, place))
        return true;
    if (shares(place) && wait_guess(place) >= sg_deadline_left(deadline))
        return false;
    int rc = 0;
    place->waiting++;
    while (!has_room(pool, place) && rc == 0)
        rc = pthread_cond_timedwait(&pool->freed, &pool->lock, &until);
    place->waiting--;
    return has_room(pool, place);
}

static void slot_take(struct smtp_pool *pool, struct smtp_place *place)
{
    place->used++;
    pool->shared += shares(place);
    place->moved_ms = sg_clock_monotonic_ms();
}

static void slot_give(struct smtp_pool *pool, struct smtp_place *place)
{
    int64_t now = sg_clock_monotonic_ms();
    place->used--;
    pool->shared -= shares(place);
    place->gap_ms =
        place->waiting ? (3 * place->gap_ms + now - place->moved_ms) / 4 : place->gap_ms / 2;
    place->moved_ms = now;
}

bool smtp_pool_take(struct smtp_pool *pool, const struct sg_smtp_destination *destination,
                    sg_deadline until, struct smtp_place **place_r,
                    struct smtp_connection **connection_r, struct sg_error *err)
{
    struct smtp_connection *stale = NULL, *c = NULL;
    pthread_mutex_lock(&pool->lock);
    struct smtp_place *place = place_get(pool, destination);
    bool ok = slot_wait(pool, place, until);
    if (ok) {
        slot_take(pool, place);
        while (!c && place->kept) {
            c = place->kept;
            place->kept = c->next;
            if (!smtp_connection_alive(c)) {
                c->next = stale;
                stale = c;
                c = NULL;
            }
        }
    } else {
        place_drop(pool, place);
    }
    pthread_mutex_unlock(&pool->lock);
    while (stale) {
        struct smtp_connection *gone = stale;
        stale = gone->next;
        smtp_connection_abort(&gone);
    }
    *place_r = ok ? place : NULL;
    *connection_r = c;
    return ok || sg_fail(err, SG_E_BUSY, "no free connection to the next hop");
}

void smtp_pool_give(struct smtp_pool *pool, struct smtp_place **place,
                    struct smtp_connection *connection)
{
    struct smtp_connection *surplus = NULL;
    pthread_mutex_lock(&pool->lock);
    struct smtp_place *p = *place;
    slot_give(pool, p);
    if (connection && pool->idle_ms > 0) {
        connection->expires = sg_deadline_in(pool->idle_ms);
        connection->next = p->kept;
        p->kept = connection;
        if (connection->expires < pool->looks_at)
            pthread_cond_signal(&pool->kept);
    } else {
        surplus = connection;
    }
    place_drop(pool, p);
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
    smtp_connection_close(&surplus);
    *place = NULL;
}

bool smtp_pool_tls(struct smtp_pool *pool, struct smtp_place *place,
                   const struct sg_smtp_destination *destination, SSL_CTX **tls_r,
                   struct sg_error *err)
{
    *tls_r = NULL;
    if (destination->tls == SG_SMTP_TLS_NONE)
        return true;
    pthread_mutex_lock(&pool->lock);
    *tls_r = place->tls;
    pthread_mutex_unlock(&pool->lock);
    SSL_CTX *made = NULL;
    if (*tls_r)
        return true;
    if (!smtp_tls_context(destination, &made, err)) /* not under the lock: it may read files */
        return false;
    pthread_mutex_lock(&pool->lock);
    if (!place->tls) {
        place->tls = made;
        made = NULL;
    }
    *tls_r = place->tls;
    pthread_mutex_unlock(&pool->lock);
    SSL_CTX_free(made);
    return true;
}
