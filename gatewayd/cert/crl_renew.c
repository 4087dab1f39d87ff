/*
 * Renewing revocation lists ahead of time: one thread for all, one list at a time. A list is asked
 * for again in the last part of its life, at times of its own so that not all come at once, and
 * every `crl_refresh_ms` for what was revoked meanwhile; what nobody has asked for in a long time
 * is dropped. The message path waits for none of this.
 */
#include "cert/crl_cache.h"

#include "common/log.h"
#include "common/thread.h"

#include <openssl/rand.h>

#define IDLE_MS       (24 * 3600 * 1000LL)
#define ROUND_MS      1000 /* how often the thread looks what is due */
#define MAX_PAUSE_MS  (3600 * 1000LL)
#define MAX_FAILURES  10
#define STUCK_MS      60000
#define FORGET_MS     (24 * 3600 * 1000LL) /* how often storage is rid of old lists */
#define FORGOTTEN     (90 * SG_DAY)        /* how long past their end */
#define AHEAD_PERCENT 15                   /* of a list's life, and so much again by chance */
#define MAX_AHEAD     SG_DAY

/* 0 to span, to spread what would come at once. */
static int64_t chance(int64_t span)
{
    uint32_t number = 0;
    (void)RAND_bytes((unsigned char *)&number, sizeof number);
    return span <= 0 ? 0 : (int64_t)(number % 1000) * span / 1000;
}

/* Part of what is left of it, where nothing newer was there; longer the more often it failed. */
static int64_t pause_ms(const struct sg_certs *certs, const struct sg_crl_entry *entry, sg_time now)
{
    int64_t retry = certs->limits.crl_retry_ms;
    if (entry->failures || !entry->crl)
        return retry * (int64_t)(entry->failures > 0 ? entry->failures : 1);
    int64_t left = (sg_crl_times_of(entry->crl)->next_update - now) / 1000 / 4;
    return left < retry ? retry : left < MAX_PAUSE_MS ? left : MAX_PAUSE_MS;
}

void sg_crl_renewal_plan(const struct sg_certs *certs, struct sg_crl_entry *entry, bool good,
                         sg_time now)
{
    int64_t mono = sg_clock_monotonic_ms(), refresh = certs->limits.crl_refresh_ms;
    entry->failures = good                             ? 0
                      : entry->failures < MAX_FAILURES ? entry->failures + 1
                                                       : MAX_FAILURES;
    if (entry->crl) {
        const struct sg_crl_times *times = sg_crl_times_of(entry->crl);
        sg_time part = (times->next_update - times->this_update) / 100 * AHEAD_PERCENT;
        part = part < MAX_AHEAD ? part : MAX_AHEAD;
        entry->ahead = times->next_update - part - chance(part);
    }
    entry->fresh_ms = refresh > 0 ? mono + refresh - chance(refresh / 10) : 0;
    entry->next_ms =
        good && entry->crl && now < entry->ahead ? mono : mono + pause_ms(certs, entry, now);
}

static bool due(const struct sg_crl_entry *entry, sg_time now, int64_t mono)
{
    if (entry->busy || entry->next_ms == 0 || mono < entry->next_ms)
        return false;
    return entry->failures || now >= entry->ahead || (entry->fresh_ms && mono >= entry->fresh_ms);
}

/* Servers that do not answer take their time-out each: what an accredited CA vouches for goes
 * before all others, and what was to be had at the last attempt before what was not. */
static bool goes_before(const struct sg_crl_entry *a, const struct sg_crl_entry *b)
{
    if (a->accredited != b->accredited)
        return a->accredited;
    if ((a->failures == 0) != (b->failures == 0))
        return a->failures == 0;
    return a->next_ms < b->next_ms;
}

/* Under the lock. The one that has waited the longest; drops what is of no use any more. */
static struct sg_crl_entry *choose(struct sg_crl_cache *cache, sg_time now)
{
    int64_t mono = sg_clock_monotonic_ms();
    struct sg_crl_entry *chosen = NULL;
    for (size_t i = 0; i < SG_CRL_BUCKETS; i++)
        for (struct sg_crl_entry *e = cache->buckets[i], *following; e; e = following) {
            following = e->next;
            if (e->users == 0 && mono - e->used_ms > IDLE_MS)
                sg_crl_entry_drop(cache, e);
            else if (due(e, now, mono) && (!chosen || goes_before(e, chosen)))
                chosen = e;
        }
    return chosen;
}

static bool renew_one(struct sg_certs *certs)
{
    struct sg_crl_cache *cache = certs->crls;
    sg_time now = sg_clock_now();
    struct sg_crl_entry *entry = choose(cache, now);
    if (!entry)
        return false;
    entry->busy = true;
    entry->users++;
    pthread_mutex_unlock(&cache->lock);
    sg_watch_begin(&cache->watch);
    sg_crl_entry_fetch(certs, entry, now);
    sg_watch_end(&cache->watch);
    pthread_mutex_lock(&cache->lock);
    entry->users--;
    entry->busy = false;
    pthread_cond_broadcast(&cache->done);
    return true;
}

static void forget(struct sg_certs *certs)
{
    struct sg_error err;
    sg_error_reset(&err);
    pthread_mutex_unlock(&certs->crls->lock);
    if (!certs->storage.crl_forget(certs->storage.ctx, sg_clock_now() - FORGOTTEN, &err))
        sg_log_error(SG_LOG_WARNING, "cert.crl_storage", &err, NULL);
    pthread_mutex_lock(&certs->crls->lock);
}

static void *run(void *arg)
{
    struct sg_certs *certs = arg;
    struct sg_crl_cache *cache = certs->crls;
    int64_t refresh = certs->limits.crl_refresh_ms;
    int64_t round = refresh > 0 && refresh < ROUND_MS ? refresh : ROUND_MS;
    int64_t forget_ms = sg_clock_monotonic_ms() + FORGET_MS;
    pthread_mutex_lock(&cache->lock);
    while (!cache->stop) {
        while (!cache->stop && renew_one(certs))
            ;
        if (!cache->stop)
            (void)sg_cond_wait(&cache->wake, &cache->lock, sg_deadline_in(round));
        if (sg_clock_monotonic_ms() >= forget_ms) {
            forget(certs);
            forget_ms = sg_clock_monotonic_ms() + FORGET_MS;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return NULL;
}

/* Without the thread lists are fetched by whoever needs them, as before the first. */
void sg_crl_renewal_start(struct sg_certs *certs)
{
    struct sg_crl_cache *cache = certs->crls;
    sg_watch_enter(&cache->watch, "revocation lists", certs->limits.crl_timeout_ms + STUCK_MS);
    cache->running = sg_thread_start(&cache->thread, run, certs);
    if (!cache->running)
        sg_log(SG_LOG_ERROR, "cert.crl_renewal", "reason", "no thread for it", NULL);
}

void sg_crl_renewal_stop(struct sg_certs *certs)
{
    struct sg_crl_cache *cache = certs->crls;
    pthread_mutex_lock(&cache->lock);
    cache->stop = true;
    pthread_cond_signal(&cache->wake);
    pthread_mutex_unlock(&cache->lock);
    if (cache->running)
        pthread_join(cache->thread, NULL);
    cache->running = false;
    sg_watch_leave(&cache->watch);
}
