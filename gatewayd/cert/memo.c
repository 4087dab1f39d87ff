/*
 * Which certificates were harvested lately, so that not every message of a correspondent writes to
 * the database. What it forgets is harvested once more.
 */
#include "cert/cert_internal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFETIME (6 * 3600 * SG_SECOND)
#define WAYS     4 /* places that a mark may have: the one used last is in front of its set */

struct slot {
    uint8_t mark[SG_SHA256];
    sg_time until;
    uint64_t generation; /* of when it was put; another one than now: it is empty */
    bool good;
};
struct sg_memo {
    pthread_mutex_t lock;
    uint64_t generation; /* counts flushes, from 1 */
    size_t sets;
    struct slot *slots; /* WAYS for each */
};

struct sg_memo *sg_memo_new(size_t room)
{
    struct sg_memo *memo = calloc(1, sizeof *memo);
    if (!memo)
        abort();
    memo->generation = 1;
    memo->sets = (room + WAYS - 1) / WAYS;
    if (memo->sets && !(memo->slots = calloc(memo->sets * WAYS, sizeof *memo->slots)))
        abort();
    pthread_mutex_init(&memo->lock, NULL);
    return memo;
}

void sg_memo_free(struct sg_memo **memo)
{
    if (!*memo)
        return;
    pthread_mutex_destroy(&(*memo)->lock);
    free((*memo)->slots);
    free(*memo);
    *memo = NULL;
}

void sg_memo_flush(struct sg_memo *memo)
{
    pthread_mutex_lock(&memo->lock);
    memo->generation++;
    pthread_mutex_unlock(&memo->lock);
}

/* The certificate, for whom and by whose roots; who wants to be asked has to be told for himself.
 */
void sg_memo_mark(const X509 *certificate, const struct sg_cert_wanted *wanted,
                  uint8_t mark[SG_SHA256])
{
    char all[SG_SHA256 + 400];
    sg_x509_sha256(certificate, (uint8_t *)all);
    int n = snprintf(all + SG_SHA256, sizeof all - SG_SHA256, "%.255s %d %d %d %.80s",
                     wanted->domain, wanted->approval, wanted->change == SG_CERT_ASK, wanted->weak,
                     wanted->relying ? wanted->relying : "");
    EVP_Digest(all, SG_SHA256 + (size_t)n, mark, NULL, EVP_sha256(), NULL);
}

/* NULL: nothing is kept. */
static struct slot *set_of(struct sg_memo *memo, const uint8_t mark[SG_SHA256])
{
    uint32_t hash;
    memcpy(&hash, mark, sizeof hash);
    return memo->sets ? &memo->slots[hash % memo->sets * WAYS] : NULL;
}

/* Its place, in front of its set now; NULL: it is not there. */
static struct slot *find(struct sg_memo *memo, const uint8_t mark[SG_SHA256])
{
    struct slot *set = set_of(memo, mark);
    for (size_t way = 0; set && way < WAYS; way++)
        if (set[way].generation == memo->generation &&
            memcmp(set[way].mark, mark, SG_SHA256) == 0) {
            struct slot used = set[way];
            memmove(set + 1, set, way * sizeof *set);
            set[0] = used;
            return set;
        }
    return NULL;
}

bool sg_memo_has(struct sg_memo *memo, const uint8_t mark[SG_SHA256], sg_time now, bool *good_r)
{
    pthread_mutex_lock(&memo->lock);
    const struct slot *slot = find(memo, mark);
    bool has = slot && now < slot->until;
    *good_r = has && slot->good;
    pthread_mutex_unlock(&memo->lock);
    return has;
}

void sg_memo_put(struct sg_memo *memo, const uint8_t mark[SG_SHA256], sg_time now, bool good)
{
    pthread_mutex_lock(&memo->lock);
    struct slot *slot = find(memo, mark), *set = set_of(memo, mark);
    if (!slot && set) { /* the one not used for longest goes */
        memmove(set + 1, set, (WAYS - 1) * sizeof *set);
        slot = set;
    }
    if (slot) {
        memcpy(slot->mark, mark, SG_SHA256);
        slot->until = now + LIFETIME;
        slot->generation = memo->generation;
        slot->good = good;
    }
    pthread_mutex_unlock(&memo->lock);
}
