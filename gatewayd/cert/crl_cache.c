/*
 * Revocation lists by address and issuer (REQ-39, 40): in memory, behind that in storage, behind
 * that at the address. Whoever needs a list that is being fetched waits for that one fetch; after
 * one that failed nobody tries again for a while, so that a dead distribution point does not stall
 * every message. A list that is in use is renewed ahead of time by a thread (crl_renew.c): nobody
 * waits for it. What they take of memory is bounded; what was dropped is in storage.
 */
#include "cert/crl_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES   (256UL * 1024 * 1024)
#define MAX_FURTHER 32
#define LATE        "not asked: the time for lists was up ([certificates] crl_total)"

struct sg_crl_cache *sg_crl_cache_new(void)
{
    struct sg_crl_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        abort();
    pthread_mutex_init(&cache->lock, NULL);
    sg_cond_init(&cache->done);
    sg_cond_init(&cache->wake);
    return cache;
}

static void entry_free(struct sg_crl_entry *entry)
{
    sg_crl_free(&entry->crl);
    X509_free(entry->issuer);
    free(entry->url);
    free(entry);
}

void sg_crl_cache_free(struct sg_crl_cache **cache)
{
    if (!*cache)
        return;
    for (size_t i = 0; i < SG_CRL_BUCKETS; i++)
        while ((*cache)->buckets[i]) {
            struct sg_crl_entry *entry = (*cache)->buckets[i];
            (*cache)->buckets[i] = entry->next;
            entry_free(entry);
        }
    pthread_cond_destroy(&(*cache)->wake);
    pthread_cond_destroy(&(*cache)->done);
    pthread_mutex_destroy(&(*cache)->lock);
    free(*cache);
    *cache = NULL;
}

static size_t bucket(const char *url)
{
    uint32_t hash = 5381;
    for (const char *p = url; *p; p++)
        hash = hash * 33 + (uint8_t)*p;
    return hash % SG_CRL_BUCKETS;
}

void sg_crl_entry_drop(struct sg_crl_cache *cache, struct sg_crl_entry *entry)
{
    struct sg_crl_entry **at = &cache->buckets[bucket(entry->url)];
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    cache->bytes -= entry->crl ? sg_crl_bytes(entry->crl) : 0;
    cache->count--;
    entry_free(entry);
}

/* Drops the list that was unused the longest, of those of domains' own roots first and for one of
 * these no other; false: all are in use. */
static bool evict(struct sg_crl_cache *cache, const struct sg_crl_entry *comer)
{
    struct sg_crl_entry *oldest = NULL;
    for (size_t i = 0; i < SG_CRL_BUCKETS; i++)
        for (struct sg_crl_entry *e = cache->buckets[i]; e; e = e->next) {
            bool before =
                !oldest || (e->accredited == oldest->accredited ? e->used_ms < oldest->used_ms
                                                                : oldest->accredited);
            if (e->users == 0 && before && (comer->accredited || !e->accredited))
                oldest = e;
        }
    if (oldest)
        sg_crl_entry_drop(cache, oldest);
    return oldest != NULL;
}

void sg_crl_entry_put(struct sg_certs *certs, struct sg_crl_entry *entry, struct sg_crl *crl)
{
    struct sg_crl_cache *cache = certs->crls;
    size_t most = certs->limits.max_crl_memory ? certs->limits.max_crl_memory : MAX_BYTES;
    cache->bytes += sg_crl_bytes(crl);
    cache->bytes -= entry->crl ? sg_crl_bytes(entry->crl) : 0;
    sg_crl_free(&entry->crl);
    entry->crl = crl;
    entry->users++; /* not the one that has just come */
    while (cache->bytes > most && evict(cache, entry))
        ;
    entry->users--;
}

static struct sg_crl_entry *entry_get(struct sg_crl_cache *cache, const char *url, X509 *issuer)
{
    uint8_t issuer_id[SG_SHA256];
    sg_x509_sha256(issuer, issuer_id);
    size_t b = bucket(url);
    for (struct sg_crl_entry *e = cache->buckets[b]; e; e = e->next)
        if (strcmp(e->url, url) == 0 && memcmp(e->issuer_id, issuer_id, SG_SHA256) == 0)
            return e;
    struct sg_crl_entry *entry = calloc(1, sizeof *entry);
    if (!entry || !(entry->url = strdup(url)) || !X509_up_ref(issuer))
        abort();
    entry->issuer = issuer;
    memcpy(entry->issuer_id, issuer_id, SG_SHA256);
    entry->next = cache->buckets[b];
    cache->buckets[b] = entry;
    cache->count++;
    return entry;
}

bool sg_crl_entry_current(const struct sg_crl_entry *entry, sg_time now)
{
    return entry->crl && now <= sg_crl_times_of(entry->crl)->next_update;
}

/*
 * Is it to be fetched, or waited for? A list that has lapsed serves within its grace while somebody
 * is at it. The thread that renews tries again before anybody else does; whoever finds out whether
 * one that was away is back does so alone, or those who wait would take all the threads, again and
 * again.
 */
static bool wanted(const struct sg_certs *certs, const struct sg_crl_entry *entry, sg_time now)
{
    if (sg_crl_entry_current(entry, now))
        return false;
    if (entry->busy)
        return entry->failures == 0 &&
               !sg_crl_entry_current(entry, now - certs->limits.crl_grace_ms * 1000);
    return entry->failures == 0 ||
           sg_clock_monotonic_ms() > entry->next_ms + certs->limits.crl_retry_ms;
}

static void wait_until_idle(struct sg_certs *certs, const struct sg_crl_entry *entry,
                            sg_deadline end)
{
    sg_deadline until = sg_deadline_in(certs->limits.crl_timeout_ms + 1000);
    until = until < end ? until : end;
    while (entry->busy && entry->failures == 0 &&
           sg_cond_wait(&certs->crls->done, &certs->crls->lock, until))
        ;
}

static void get_from_afar(struct sg_certs *certs, struct sg_crl_entry *entry,
                          const struct sg_crl_ask *ask)
{
    struct sg_crl_cache *cache = certs->crls;
    wait_until_idle(certs, entry, ask->until);
    if (entry->busy || !wanted(certs, entry, ask->now) || sg_deadline_left(ask->until) == 0)
        return;
    entry->busy = true;
    pthread_mutex_unlock(&cache->lock);
    sg_crl_entry_fetch(certs, entry, ask->now);
    pthread_mutex_lock(&cache->lock);
    entry->busy = false;
    pthread_cond_broadcast(&cache->done);
}

/* Under the lock. How slow and how many the servers of such lists are is up to whoever gave his
 * domain a root: few threads wait for them, and the others go on as if the list were away. */
static void get_further(struct sg_certs *certs, struct sg_crl_entry *entry,
                        const struct sg_crl_ask *ask)
{
    size_t most = certs->limits.max_further_fetches;
    if (certs->crls->further >= (most ? most : MAX_FURTHER)) {
        if (!*entry->why)
            snprintf(entry->why, sizeof entry->why,
                     "not asked: as many messages wait for lists of domains' own roots as may "
                     "([certificates] own_root_waits)");
        return;
    }
    certs->crls->further++;
    get_from_afar(certs, entry, ask);
    certs->crls->further--;
}

void sg_crl_get(struct sg_certs *certs, const char *url, X509 *issuer, const struct sg_crl_ask *ask,
                struct sg_crl_got *got_r)
{
    struct sg_crl_cache *cache = certs->crls;
    pthread_mutex_lock(&cache->lock);
    struct sg_crl_entry *entry = entry_get(cache, url, issuer);
    entry->used_ms = sg_clock_monotonic_ms();
    entry->users++;
    entry->accredited |= ask->mode == SG_CRL_FETCH;
    while (cache->count > certs->limits.max_lists && evict(cache, entry))
        ;
    bool wants = ask->mode != SG_CRL_CACHED && wanted(certs, entry, ask->now);
    bool late = wants && sg_deadline_left(ask->until) == 0;
    if (late && !*entry->why)
        snprintf(entry->why, sizeof entry->why, LATE);
    if (wants && !late && ask->mode == SG_CRL_FETCH_FURTHER)
        get_further(certs, entry, ask);
    else if (wants && !late)
        get_from_afar(certs, entry, ask);
    got_r->crl = sg_crl_hold(entry->crl);
    memcpy(got_r->why, entry->why, sizeof got_r->why);
    entry->users--;
    pthread_mutex_unlock(&cache->lock);
}

void sg_crl_cache_state(struct sg_crl_cache *cache, sg_time now, struct sg_certs_state *state)
{
    pthread_mutex_lock(&cache->lock);
    state->crl_bytes = cache->bytes;
    state->crl_fetches = cache->fetches;
    for (size_t i = 0; i < SG_CRL_BUCKETS; i++)
        for (const struct sg_crl_entry *e = cache->buckets[i]; e; e = e->next) {
            state->crls += e->crl != NULL;
            state->crls_expired += e->crl && !sg_crl_entry_current(e, now);
            state->crls_failing += e->failures != 0;
        }
    pthread_mutex_unlock(&cache->lock);
}
