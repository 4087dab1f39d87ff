/*
 * Certificates that were good a moment ago: the chain and its revocation lists are not gone through
 * for every message. Good verdicts alone are kept: what was bad may be mended, and an attacker's
 * certificates do not push out ours.
 */
#include "cert/cert_internal.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 4096 /* a verdict has one place; a newer one there takes it over */

struct verdict {
    uint8_t sha256[SG_SHA256];
    enum sg_cert_use use;
    char *domain, *relying, *detail; /* domain NULL: the slot is empty */
    sg_time good_from, good_until;
    int64_t expires_ms;
};

struct sg_verdicts {
    pthread_mutex_t lock;
    int64_t ttl_ms;
    uint64_t generation;
    struct verdict slots[SLOTS];
};

struct sg_verdicts *sg_verdicts_new(int64_t ttl_ms)
{
    struct sg_verdicts *verdicts = calloc(1, sizeof *verdicts);
    if (!verdicts)
        abort();
    pthread_mutex_init(&verdicts->lock, NULL);
    verdicts->ttl_ms = ttl_ms;
    return verdicts;
}

static void clear(struct verdict *verdict)
{
    free(verdict->domain);
    free(verdict->relying);
    free(verdict->detail);
    memset(verdict, 0, sizeof *verdict);
}

void sg_verdicts_flush(struct sg_verdicts *verdicts)
{
    pthread_mutex_lock(&verdicts->lock);
    verdicts->generation++;
    for (size_t i = 0; i < SLOTS; i++)
        clear(&verdicts->slots[i]);
    pthread_mutex_unlock(&verdicts->lock);
}

uint64_t sg_verdicts_generation(struct sg_verdicts *verdicts)
{
    pthread_mutex_lock(&verdicts->lock);
    uint64_t generation = verdicts->generation;
    pthread_mutex_unlock(&verdicts->lock);
    return generation;
}

void sg_verdicts_free(struct sg_verdicts **verdicts)
{
    if (!*verdicts)
        return;
    sg_verdicts_flush(*verdicts);
    pthread_mutex_destroy(&(*verdicts)->lock);
    free(*verdicts);
    *verdicts = NULL;
}

/* The digest is spread well enough; nobody gains from a collision but a slower check. */
static struct verdict *slot(struct sg_verdicts *verdicts, const struct sg_verdict_key *key)
{
    uint32_t hash;
    memcpy(&hash, key->sha256, sizeof hash);
    for (const char *p = key->domain; *p; p++)
        hash = hash * 31 + (uint8_t)*p;
    for (const char *p = key->relying; *p; p++)
        hash = hash * 31 + (uint8_t)*p;
    return &verdicts->slots[(hash + (uint32_t)key->use) % SLOTS];
}

bool sg_verdicts_find(struct sg_verdicts *verdicts, const struct sg_verdict_key *key, sg_time now,
                      struct sg_arena *arena, const char **detail_r)
{
    pthread_mutex_lock(&verdicts->lock);
    const struct verdict *verdict = slot(verdicts, key);
    bool found = verdict->domain && memcmp(verdict->sha256, key->sha256, SG_SHA256) == 0 &&
                 verdict->use == key->use && strcasecmp(verdict->domain, key->domain) == 0 &&
                 strcmp(verdict->relying, key->relying) == 0 && now >= verdict->good_from &&
                 now <= verdict->good_until && sg_clock_monotonic_ms() < verdict->expires_ms;
    if (found)
        *detail_r = sg_arena_strdup(arena, verdict->detail);
    pthread_mutex_unlock(&verdicts->lock);
    return found;
}

void sg_verdicts_add(struct sg_verdicts *verdicts, const struct sg_verdict_key *key,
                     uint64_t generation, sg_time good_from, sg_time good_until, const char *detail)
{
    struct verdict fresh = {.use = key->use,
                            .domain = strdup(key->domain),
                            .relying = strdup(key->relying),
                            .detail = strdup(detail),
                            .good_from = good_from,
                            .good_until = good_until,
                            .expires_ms = sg_clock_monotonic_ms() + verdicts->ttl_ms};
    if (!fresh.domain || !fresh.relying || !fresh.detail)
        abort();
    memcpy(fresh.sha256, key->sha256, SG_SHA256);
    pthread_mutex_lock(&verdicts->lock);
    if (generation == verdicts->generation) {
        struct verdict *place = slot(verdicts, key);
        clear(place);
        *place = fresh;
    } else {
        clear(&fresh);
    }
    pthread_mutex_unlock(&verdicts->lock);
}
