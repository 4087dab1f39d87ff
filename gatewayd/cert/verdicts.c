/*
 * Certificates that were good a moment ago: the chain and its revocation lists are not gone through
 * for every message. Good verdicts alone are kept: what was bad may be mended, and an attacker's
 * certificates do not push out ours.
 */
#include "cert/cert_internal.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4 /* places that a verdict may have: the one used last is in front of its set */

/* What is kept of a verdict as text, one behind another. */
enum { DOMAIN, RELYING, DETAIL, SUBJECT, ISSUER, SERIAL, DIGEST, ADDRESS, TEXTS };

struct verdict {
    uint8_t sha256[SG_SHA256];
    enum sg_cert_use use;
    char *text[TEXTS]; /* the first has room for all, and is NULL where the slot is empty; the
                          address may be NULL */
    sg_time good_from, good_until;
    int64_t expires_ms;
};

struct sg_verdicts {
    pthread_mutex_t lock;
    int64_t ttl_ms;
    uint64_t generation;
    size_t sets;
    struct verdict *places; /* WAYS for each */
};

struct sg_verdicts *sg_verdicts_new(size_t room, int64_t ttl_ms)
{
    struct sg_verdicts *verdicts = calloc(1, sizeof *verdicts);
    if (!verdicts)
        abort();
    verdicts->sets = ttl_ms > 0 ? (room + WAYS - 1) / WAYS : 0;
    if (verdicts->sets &&
        !(verdicts->places = calloc(verdicts->sets * WAYS, sizeof(struct verdict))))
        abort();
    pthread_mutex_init(&verdicts->lock, NULL);
    verdicts->ttl_ms = ttl_ms;
    return verdicts;
}

static void clear(struct verdict *verdict)
{
    free(verdict->text[0]);
    memset(verdict, 0, sizeof *verdict);
}

void sg_verdicts_flush(struct sg_verdicts *verdicts)
{
    pthread_mutex_lock(&verdicts->lock);
    verdicts->generation++;
    for (size_t i = 0; i < verdicts->sets * WAYS; i++)
        if (verdicts->places[i].text[0]) /* what was never used takes no memory, and shall not */
            clear(&verdicts->places[i]);
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
    free((*verdicts)->places);
    free(*verdicts);
    *verdicts = NULL;
}

/* NULL: nothing is kept. The digest is spread well enough; nobody gains from a collision but a
 * slower check. */
static struct verdict *set_of(struct sg_verdicts *verdicts, const struct sg_verdict_key *key)
{
    uint32_t hash;
    memcpy(&hash, key->sha256, sizeof hash);
    for (const char *p = key->domain; *p; p++)
        hash = hash * 31 + (uint8_t)*p;
    for (const char *p = key->relying; *p; p++)
        hash = hash * 31 + (uint8_t)*p;
    return verdicts->sets ? &verdicts->places[(hash + (uint32_t)key->use) % verdicts->sets * WAYS]
                          : NULL;
}

static bool is_of(const struct verdict *v, const struct sg_verdict_key *key)
{
    return v->text[0] && memcmp(v->sha256, key->sha256, SG_SHA256) == 0 && v->use == key->use &&
           strcasecmp(v->text[DOMAIN], key->domain) == 0 &&
           strcmp(v->text[RELYING], key->relying) == 0;
}

/* Moves it to the front of its set. */
static struct verdict *to_front(struct verdict *set, size_t way)
{
    struct verdict used = set[way];
    memmove(set + 1, set, way * sizeof *set);
    set[0] = used;
    return set;
}

static struct verdict *find(struct sg_verdicts *verdicts, const struct sg_verdict_key *key)
{
    struct verdict *set = set_of(verdicts, key);
    for (size_t way = 0; set && way < WAYS; way++)
        if (is_of(&set[way], key))
            return to_front(set, way);
    return NULL;
}

static void facts_take(const struct verdict *v, struct sg_arena *arena,
                       struct sg_cert_facts *facts_r)
{
    *facts_r = (struct sg_cert_facts){
        .status = SG_CERT_VALID,
        .detail = sg_arena_strdup(arena, v->text[DETAIL]),
        .subject = sg_arena_strdup(arena, v->text[SUBJECT]),
        .issuer = sg_arena_strdup(arena, v->text[ISSUER]),
        .serial = sg_arena_strdup(arena, v->text[SERIAL]),
        .sha256 = sg_arena_strdup(arena, v->text[DIGEST]),
        .address = v->text[ADDRESS] ? sg_arena_strdup(arena, v->text[ADDRESS]) : NULL,
        .own_root = *v->text[RELYING] != 0,
    };
}

bool sg_verdicts_find(struct sg_verdicts *verdicts, const struct sg_verdict_key *key, sg_time now,
                      struct sg_arena *arena, struct sg_cert_facts *facts_r)
{
    pthread_mutex_lock(&verdicts->lock);
    const struct verdict *verdict = find(verdicts, key);
    bool found = verdict && now >= verdict->good_from && now <= verdict->good_until &&
                 sg_clock_monotonic_ms() < verdict->expires_ms;
    if (found)
        facts_take(verdict, arena, facts_r);
    pthread_mutex_unlock(&verdicts->lock);
    return found;
}

static void texts_copy(struct verdict *verdict, const char *const texts[TEXTS])
{
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i] ? strlen(texts[i]) + 1 : 0;
    char *at = malloc(size);
    if (!at)
        abort();
    for (size_t i = 0; i < TEXTS; i++) {
        if (!texts[i])
            continue;
        verdict->text[i] = at;
        at = stpcpy(at, texts[i]) + 1;
    }
}

void sg_verdicts_add(struct sg_verdicts *verdicts, const struct sg_verdict_key *key,
                     uint64_t generation, sg_time good_from, sg_time good_until,
                     const struct sg_cert_facts *facts)
{
    const char *const texts[TEXTS] = {key->domain,   key->relying,  facts->detail, facts->subject,
                                      facts->issuer, facts->serial, facts->sha256, facts->address};
    struct verdict fresh = {.use = key->use,
                            .good_from = good_from,
                            .good_until = good_until,
                            .expires_ms = sg_clock_monotonic_ms() + verdicts->ttl_ms};
    texts_copy(&fresh, texts);
    memcpy(fresh.sha256, key->sha256, SG_SHA256);
    pthread_mutex_lock(&verdicts->lock);
    struct verdict *set = set_of(verdicts, key);
    if (set && generation == verdicts->generation) {
        struct verdict *place = find(verdicts, key);
        if (!place)
            place = to_front(set, WAYS - 1);
        clear(place);
        *place = fresh;
    } else {
        clear(&fresh);
    }
    pthread_mutex_unlock(&verdicts->lock);
}
