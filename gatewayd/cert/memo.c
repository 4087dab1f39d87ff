/*
 * Which certificates were harvested lately, so that not every message of a correspondent writes to
 * the database. A small table of fixed size: what it forgets is harvested once more.
 */
#include "cert/cert_internal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS    1024
#define LIFETIME (6 * 3600 * SG_SECOND)

struct slot {
    uint8_t mark[SG_SHA256];
    sg_time until;
    bool good;
};
struct sg_memo {
    pthread_mutex_t lock;
    struct slot slots[SLOTS];
};

struct sg_memo *sg_memo_new(void)
{
    struct sg_memo *memo = calloc(1, sizeof *memo);
    if (!memo)
        abort();
    pthread_mutex_init(&memo->lock, NULL);
    return memo;
}

void sg_memo_free(struct sg_memo **memo)
{
    if (!*memo)
        return;
    pthread_mutex_destroy(&(*memo)->lock);
    free(*memo);
    *memo = NULL;
}

void sg_memo_flush(struct sg_memo *memo)
{
    pthread_mutex_lock(&memo->lock);
    memset(memo->slots, 0, sizeof memo->slots);
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

static struct slot *slot_of(struct sg_memo *memo, const uint8_t mark[SG_SHA256])
{
    return &memo->slots[(mark[0] << 8 | mark[1]) % SLOTS];
}

bool sg_memo_has(struct sg_memo *memo, const uint8_t mark[SG_SHA256], sg_time now, bool *good_r)
{
    pthread_mutex_lock(&memo->lock);
    const struct slot *slot = slot_of(memo, mark);
    bool has = now < slot->until && memcmp(slot->mark, mark, SG_SHA256) == 0;
    *good_r = has && slot->good;
    pthread_mutex_unlock(&memo->lock);
    return has;
}

void sg_memo_put(struct sg_memo *memo, const uint8_t mark[SG_SHA256], sg_time now, bool good)
{
    pthread_mutex_lock(&memo->lock);
    struct slot *slot = slot_of(memo, mark);
    memcpy(slot->mark, mark, SG_SHA256);
    slot->until = now + LIFETIME;
    slot->good = good;
    pthread_mutex_unlock(&memo->lock);
}
