#include "x509/x509.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DER  65536 /* longer ones are decoded and not kept */
#define WAYS     4
#define AT_FIRST 256

struct kept {
    uint64_t hash;
    X509 *certificate; /* NULL: the place is empty */
    uint8_t *der;
    size_t len;
};

/* Sets of a few places each, the one used last in front: the last of a set makes room. */
static struct {
    pthread_mutex_t mutex;
    pthread_once_t once;
    uint64_t seed; /* nobody outside can tell what goes into the same set */
    size_t sets;
    struct kept *places;
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void room_make(size_t certificates)
{
    table.sets = (certificates + WAYS - 1) / WAYS;
    table.places = table.sets ? calloc(table.sets * WAYS, sizeof *table.places) : NULL;
    if (table.sets && !table.places)
        abort();
}

static void begin(void)
{
    if (RAND_bytes((unsigned char *)&table.seed, sizeof table.seed) != 1)
        abort();
    room_make(AT_FIRST);
}

static void kept_free(struct kept *kept)
{
    X509_free(kept->certificate);
    free(kept->der);
    *kept = (struct kept){0};
}

void sg_x509_keep(size_t certificates)
{
    pthread_once(&table.once, begin);
    pthread_mutex_lock(&table.mutex);
    for (size_t i = 0; i < table.sets * WAYS; i++)
        kept_free(&table.places[i]);
    free(table.places);
    room_make(certificates);
    pthread_mutex_unlock(&table.mutex);
}

/* Of the end as much as of the begin: the same issuer's certificates begin alike. */
static uint64_t hash_of(struct sg_bytes der)
{
    uint64_t h = table.seed ^ der.len, word;
    for (size_t at = 0; at + sizeof word <= der.len; at += sizeof word) {
        memcpy(&word, der.data + at, sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return h;
}

static void to_front(struct kept *set, size_t way)
{
    struct kept used = set[way];
    memmove(set + 1, set, way * sizeof *set);
    set[0] = used;
}

static X509 *find(struct sg_bytes der, uint64_t hash)
{
    X509 *found = NULL;
    pthread_mutex_lock(&table.mutex);
    struct kept *set = table.sets ? &table.places[hash % table.sets * WAYS] : NULL;
    for (size_t way = 0; set && way < WAYS && !found; way++) {
        if (!set[way].certificate || set[way].hash != hash || set[way].len != der.len ||
            memcmp(set[way].der, der.data, der.len) != 0)
            continue;
        found = set[way].certificate;
        X509_up_ref(found);
        to_front(set, way);
    }
    pthread_mutex_unlock(&table.mutex);
    return found;
}

static void keep(struct sg_bytes der, uint64_t hash, X509 *certificate)
{
    struct kept gone = {0}, fresh = {.hash = hash,
                                     .certificate = certificate,
                                     .der = malloc(der.len),
                                     .len = der.len};
    if (!fresh.der)
        abort();
    memcpy(fresh.der, der.data, der.len);
    X509_up_ref(certificate);
    pthread_mutex_lock(&table.mutex);
    struct kept *set = table.sets ? &table.places[hash % table.sets * WAYS] : NULL;
    if (set) {
        gone = set[WAYS - 1];
        set[WAYS - 1] = fresh;
        to_front(set, WAYS - 1);
    }
    pthread_mutex_unlock(&table.mutex);
    kept_free(set ? &gone : &fresh);
}

static X509 *decode(struct sg_bytes der)
{
    const unsigned char *p = der.data;
    X509 *x = der.len ? d2i_X509(NULL, &p, (long)der.len) : NULL;
    if (x && p != der.data + der.len) {
        X509_free(x);
        x = NULL;
    }
    if (x)
        X509_check_purpose(x, -1,
                           0); /* what OpenSSL looks up later is then there, for all threads */
    ERR_clear_error();
    return x;
}

X509 *sg_x509_decode(struct sg_bytes der)
{
    if (der.len == 0 || der.len > MAX_DER)
        return decode(der);
    pthread_once(&table.once, begin);
    uint64_t hash = hash_of(der);
    X509 *x = find(der, hash);
    if (!x && (x = decode(der)))
        keep(der, hash, x);
    return x;
}
