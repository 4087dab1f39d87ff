#include "api/rate.h"

#include <math.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES_MAX 16
#define NAME_MAX_   24
#define KEY_MAX     48
#define BUCKETS     16384 /* a power of two */
#define PROBES      8     /* places where a key may lie */
#define RATE_MAX    1000000

struct class
{
    char name[NAME_MAX_];
    double per_ms, burst;
};

struct bucket {
    char key[KEY_MAX]; /* "": free */
    double left;
    int64_t at_ms;
};

struct api_rate {
    struct class classes[CLASSES_MAX];
    size_t count;
    uint64_t seed;
    pthread_mutex_t lock;
    struct bucket buckets[BUCKETS];
};

/* "billing=20/100" */
static bool class_parse(const char *word, size_t n, struct class *class)
{
    char text[64], *end;
    if (n >= sizeof text)
        return false;
    memcpy(text, word, n);
    text[n] = 0;
    char *equals = strchr(text, '=');
    if (!equals || equals == text || equals - text >= NAME_MAX_)
        return false;
    *equals = 0;
    strcpy(class->name, text);
    double rate = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != '/' || !(rate > 0 && rate <= RATE_MAX))
        return false;
    const char *from = end + 1;
    long burst = strtol(from, &end, 10);
    class->per_ms = rate / 1000;
    class->burst = (double)burst;
    return end != from && *end == 0 && burst >= 1 && burst <= RATE_MAX;
}

bool api_rate_new(const char *classes, struct api_rate **rate_r, struct sg_error *err)
{
    struct api_rate *rate = calloc(1, sizeof *rate);
    bool others = false;
    if (!rate)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    for (const char *p = classes + strspn(classes, " "); *p;) {
        size_t n = strcspn(p, " ");
        if (rate->count == CLASSES_MAX || !class_parse(p, n, &rate->classes[rate->count])) {
            free(rate);
            return sg_fail(err, SG_E_CONFIG, "rates: not CLASS=RATE/BURST: %.*s",
                           n > 60 ? 60 : (int)n, p);
        }
        others |= strcmp(rate->classes[rate->count++].name, "*") == 0;
        p += n;
        p += strspn(p, " ");
    }
    if (!others) {
        free(rate);
        return sg_fail(err, SG_E_CONFIG, "rates: there is no *=RATE/BURST for the others");
    }
    if (RAND_bytes((uint8_t *)&rate->seed, sizeof rate->seed) != 1)
        abort();
    pthread_mutex_init(&rate->lock, NULL);
    *rate_r = rate;
    return true;
}

void api_rate_free(struct api_rate **rate)
{
    if (!*rate)
        return;
    pthread_mutex_destroy(&(*rate)->lock);
    free(*rate);
    *rate = NULL;
}

static const struct class *class_find(const struct api_rate *rate, const char *name)
{
    const struct class *others = NULL;
    for (size_t i = 0; i < rate->count; i++) {
        if (strcmp(rate->classes[i].name, name) == 0)
            return &rate->classes[i];
        if (strcmp(rate->classes[i].name, "*") == 0)
            others = &rate->classes[i];
    }
    return others;
}

/* FNV-1a from a random start: nobody can aim at another's bucket. */
static uint64_t hash(const struct api_rate *rate, const char *key)
{
    uint64_t h = 14695981039346656037u ^ rate->seed;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 1099511628211u;
    return h ^ h >> 29;
}

/* The key's bucket, or the one in its places that has been still for longest. */
static struct bucket *bucket_find(struct api_rate *rate, const char *key, double burst,
                                  int64_t now_ms)
{
    uint64_t h = hash(rate, key);
    struct bucket *oldest = NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct bucket *b = &rate->buckets[(h + i) % BUCKETS];
        if (strcmp(b->key, key) == 0)
            return b;
        if (!oldest || (oldest->key[0] && (!b->key[0] || b->at_ms < oldest->at_ms)))
            oldest = b;
    }
    snprintf(oldest->key, sizeof oldest->key, "%s", key);
    oldest->left = burst;
    oldest->at_ms = now_ms;
    return oldest;
}

bool api_rate_take(struct api_rate *rate, const char *name, const char *key, int64_t now_ms,
                   struct api_rate_state *state_r)
{
    char short_key[KEY_MAX];
    if (!rate)
        return true;
    const struct class *class = class_find(rate, name);
    snprintf(short_key, sizeof short_key, "%s", key);
    pthread_mutex_lock(&rate->lock);
    struct bucket *b = bucket_find(rate, short_key, class->burst, now_ms);
    double left = b->left + (double)(now_ms - b->at_ms) * class->per_ms;
    left = left > class->burst ? class->burst : left;
    bool ok = left >= 1;
    left -= ok ? 1 : 0;
    b->left = left;
    b->at_ms = now_ms;
    pthread_mutex_unlock(&rate->lock);
    double missing = ok ? class->burst - left : 1 - left;
    *state_r = (struct api_rate_state){
        .name = name,
        .quota = (int64_t) class->burst,
        .window_s = (int64_t)ceil(class->burst / class->per_ms / 1000),
        .left = (int64_t)left,
        .reset_s = (int64_t)ceil(missing / class->per_ms / 1000),
    };
    return ok;
}
