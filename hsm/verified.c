#include "hsm/verified.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct sg_verified {
    pthread_mutex_t mutex;
    uint8_t names[SG_VERIFIED_PLACES][SG_CACHE_NAME]; /* zeros, the name of nothing: empty */
};

struct sg_verified *sg_verified_new(void)
{
    struct sg_verified *v = calloc(1, sizeof *v);
    if (!v)
        abort();
    pthread_mutex_init(&v->mutex, NULL);
    return v;
}

void sg_verified_free(struct sg_verified **verified)
{
    if (!*verified)
        return;
    pthread_mutex_destroy(&(*verified)->mutex);
    free(*verified);
    *verified = NULL;
}

/* Each has one place; a newer one there takes it over. */
static uint8_t *place(struct sg_verified *v, const uint8_t *name)
{
    uint32_t h; /* names are digests already */
    memcpy(&h, name, sizeof h);
    return v->names[h % SG_VERIFIED_PLACES];
}

bool sg_verified_has(struct sg_verified *v, const uint8_t name[SG_CACHE_NAME])
{
    pthread_mutex_lock(&v->mutex);
    bool has = memcmp(place(v, name), name, SG_CACHE_NAME) == 0;
    pthread_mutex_unlock(&v->mutex);
    return has;
}

void sg_verified_add(struct sg_verified *v, const uint8_t name[SG_CACHE_NAME])
{
    pthread_mutex_lock(&v->mutex);
    memcpy(place(v, name), name, SG_CACHE_NAME);
    pthread_mutex_unlock(&v->mutex);
}
