/*
 * Revocation lists by address and issuer (REQ-39, 40): in memory, behind that in storage, behind
 * that at the address. Whoever needs a list that is being fetched waits for that one fetch; after
 * one that failed nobody tries again for a while, so that a dead distribution point does not stall
 * every message. Only lists that the issuer signed get in, and never an older one than we have.
 */
#include "cert/cert_internal.h"

#include "common/log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS    30000
#define MAX_ENTRIES 1024
#define BUCKETS     257

struct entry {
    struct entry *next;
    char *url;
    uint8_t issuer[SG_SHA256]; /* of its certificate */
    X509_CRL *crl;
    struct sg_crl_times times;
    bool storage_asked, busy;
    int users;                             /* threads that wait for it or fetch it */
    int64_t fetched_ms, retry_ms, used_ms; /* monotonic */
    char why[SG_CERT_WHY];
};

struct sg_crl_cache {
    pthread_mutex_t lock;
    pthread_cond_t done; /* some entry is no longer busy */
    size_t count;
    struct entry *buckets[BUCKETS];
};

struct sg_crl_cache *sg_crl_cache_new(void)
{
    struct sg_crl_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        abort();
    pthread_mutex_init(&cache->lock, NULL);
    sg_cond_init(&cache->done);
    return cache;
}

static void entry_free(struct entry *entry)
{
    X509_CRL_free(entry->crl);
    free(entry->url);
    free(entry);
}

void sg_crl_cache_free(struct sg_crl_cache **cache)
{
    if (!*cache)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((*cache)->buckets[i]) {
            struct entry *entry = (*cache)->buckets[i];
            (*cache)->buckets[i] = entry->next;
            entry_free(entry);
        }
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
    return hash % BUCKETS;
}

/* Makes room by the list that was unused the longest. */
static void evict(struct sg_crl_cache *cache)
{
    struct entry **oldest = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry **p = &cache->buckets[i]; *p; p = &(*p)->next)
            if ((*p)->users == 0 && (!oldest || (*p)->used_ms < (*oldest)->used_ms))
                oldest = p;
    if (!oldest)
        return;
    struct entry *gone = *oldest;
    *oldest = gone->next;
    entry_free(gone);
    cache->count--;
}

static struct entry *entry_get(struct sg_crl_cache *cache, const char *url,
                               const uint8_t issuer[SG_SHA256])
{
    size_t b = bucket(url);
    for (struct entry *e = cache->buckets[b]; e; e = e->next)
        if (strcmp(e->url, url) == 0 && memcmp(e->issuer, issuer, SG_SHA256) == 0)
            return e;
    if (cache->count >= MAX_ENTRIES)
        evict(cache);
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry || !(entry->url = strdup(url)))
        abort();
    memcpy(entry->issuer, issuer, SG_SHA256);
    entry->next = cache->buckets[b];
    cache->buckets[b] = entry;
    cache->count++;
    return entry;
}

static bool current(const struct sg_certs *certs, const struct entry *entry, sg_time now)
{
    int64_t age = certs->limits.crl_max_age_ms;
    return entry->crl && now <= entry->times.next_update &&
           (age <= 0 || sg_clock_monotonic_ms() - entry->fetched_ms < age);
}

/* What a look into storage or a fetch brought. */
struct brought {
    X509_CRL *crl;
    struct sg_crl_times times;
    struct sg_bytes der;
    char why[SG_CERT_WHY];
};

static bool judge(struct brought *brought, X509 *issuer)
{
    brought->crl = sg_crl_parse(brought->der, brought->why);
    if (brought->crl && sg_crl_acceptable(brought->crl, issuer, &brought->times, brought->why))
        return true;
    X509_CRL_free(brought->crl);
    brought->crl = NULL;
    return false;
}

static void from_storage(struct sg_certs *certs, struct sg_arena *arena, const char *url,
                         X509 *issuer, struct brought *brought)
{
    struct sg_error err;
    sg_error_reset(&err);
    bool found = false;
    if (!certs->storage.crl_find(certs->storage.ctx, arena, url, &brought->der, &found, &err))
        sg_log_error(SG_LOG_WARNING, "cert.crl_storage", &err, "url", url, NULL);
    else if (found)
        (void)judge(brought, issuer);
}

static void to_storage(struct sg_certs *certs, const char *url, const struct brought *brought,
                       sg_time now)
{
    struct sg_error err;
    sg_error_reset(&err);
    uint8_t *der = NULL;
    int len = i2d_X509_CRL(brought->crl, &der); /* it may have come as PEM */
    if (len > 0 && !certs->storage.crl_store(certs->storage.ctx, url, sg_bytes_of(der, (size_t)len),
                                             brought->times.this_update, brought->times.next_update,
                                             now, &err))
        sg_log_error(SG_LOG_WARNING, "cert.crl_storage", &err, "url", url, NULL);
    OPENSSL_free(der);
}

static void from_network(struct sg_certs *certs, const char *url, X509 *issuer,
                         struct brought *brought)
{
    struct sg_error err;
    sg_error_reset(&err);
    SG_AUTO_BUF body;
    if (sg_fetch(url, certs->limits.max_crl_bytes, sg_deadline_in(certs->limits.crl_timeout_ms),
                 &body, &err)) {
        brought->der = sg_buf_bytes(&body);
        (void)judge(brought, issuer);
    } else {
        snprintf(brought->why, sizeof brought->why, "%.230s", err.detail);
    }
    if (!brought->crl)
        sg_log(SG_LOG_WARNING, "cert.crl_unavailable", "url", url, "reason", brought->why, NULL);
    brought->der = sg_bytes_of(NULL, 0);
}

/* Under the lock: a newer list replaces what is there. */
static void take(struct entry *entry, struct brought *brought)
{
    if (!brought->crl)
        return;
    if (!entry->crl || brought->times.this_update >= entry->times.this_update) {
        X509_CRL_free(entry->crl);
        entry->crl = brought->crl;
        entry->times = brought->times;
    } else {
        X509_CRL_free(brought->crl);
    }
    brought->crl = NULL;
}

/* Storage once, then the network; the entry is busy and the lock is not held. */
static void refresh(struct sg_certs *certs, struct entry *entry, X509 *issuer, sg_time now)
{
    struct sg_crl_cache *cache = certs->crls;
    SG_AUTO_ARENA arena = sg_arena_new();
    bool ask_storage = !entry->storage_asked, enough = false;
    if (ask_storage) {
        struct brought stored = {0};
        from_storage(certs, arena, entry->url, issuer, &stored);
        pthread_mutex_lock(&cache->lock);
        entry->storage_asked = true;
        entry->fetched_ms = INT64_MIN / 2; /* nobody knows how long ago */
        take(entry, &stored);
        enough = current(certs, entry, now);
        pthread_mutex_unlock(&cache->lock);
    }
    if (enough)
        return;
    struct brought fetched = {0};
    from_network(certs, entry->url, issuer, &fetched);
    bool good = fetched.crl && now <= fetched.times.next_update;
    if (good)
        to_storage(certs, entry->url, &fetched, now);
    else if (fetched.crl)
        snprintf(fetched.why, sizeof fetched.why, "the one at %.150s has expired too", entry->url);
    pthread_mutex_lock(&cache->lock);
    take(entry, &fetched);
    int64_t mono = sg_clock_monotonic_ms();
    if (good)
        entry->fetched_ms = mono;
    entry->retry_ms = good ? 0 : mono + RETRY_MS;
    memcpy(entry->why, fetched.why, sizeof entry->why);
    pthread_mutex_unlock(&cache->lock);
}

static void wait_until_idle(struct sg_certs *certs, struct entry *entry)
{
    int64_t until = sg_clock_monotonic_ms() + certs->limits.crl_timeout_ms + 1000;
    struct timespec ts = {until / 1000, until % 1000 * 1000000};
    while (entry->busy)
        if (pthread_cond_timedwait(&certs->crls->done, &certs->crls->lock, &ts) != 0)
            return;
}

void sg_crl_get(struct sg_certs *certs, const char *url, X509 *issuer, enum sg_crl_mode mode,
                sg_time now, struct sg_crl_got *got_r)
{
    struct sg_crl_cache *cache = certs->crls;
    uint8_t issuer_id[SG_SHA256];
    sg_x509_sha256(issuer, issuer_id);
    memset(got_r, 0, sizeof *got_r);

    pthread_mutex_lock(&cache->lock);
    struct entry *entry = entry_get(cache, url, issuer_id);
    entry->used_ms = sg_clock_monotonic_ms();
    entry->users++;
    if (mode == SG_CRL_FETCH) {
        wait_until_idle(certs, entry);
        if (!entry->busy && !current(certs, entry, now) &&
            sg_clock_monotonic_ms() >= entry->retry_ms) {
            entry->busy = true;
            pthread_mutex_unlock(&cache->lock);
            refresh(certs, entry, issuer, now);
            pthread_mutex_lock(&cache->lock);
            entry->busy = false;
            pthread_cond_broadcast(&cache->done);
        }
    }
    /* With a largest age an older list still serves when a newer one cannot be had. */
    bool usable = mode == SG_CRL_FETCH || certs->limits.crl_max_age_ms <= 0 ||
                  current(certs, entry, now) || sg_clock_monotonic_ms() < entry->retry_ms;
    if (entry->crl && usable) {
        X509_CRL_up_ref(entry->crl);
        got_r->crl = entry->crl;
        got_r->times = entry->times;
    }
    memcpy(got_r->why, entry->why, sizeof got_r->why);
    entry->users--;
    pthread_mutex_unlock(&cache->lock);
}

void sg_crl_cache_state(struct sg_crl_cache *cache, sg_time now, struct sg_certs_state *state)
{
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct entry *entry = cache->buckets[i]; entry; entry = entry->next) {
            state->crls += entry->crl != NULL;
            state->crls_expired += entry->crl && now > entry->times.next_update;
            state->crls_failing += entry->retry_ms != 0;
        }
    pthread_mutex_unlock(&cache->lock);
}
