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

/* The digest lies with the certificate, where it was decoded here: it was put there before others
 * could see it. */
static int digest_index = -1;
static pthread_once_t digest_once = PTHREAD_ONCE_INIT;

static void digest_free(void *parent, void *digest, CRYPTO_EX_DATA *all, int index, long arg,
                        void *ctx)
{
    (void)parent, (void)all, (void)index, (void)arg, (void)ctx;
    free(digest);
}

/* A copy may be changed: it has none. */
static int digest_copy(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **digest, int index,
                       long arg, void *ctx)
{
    (void)to, (void)from, (void)index, (void)arg, (void)ctx;
    *digest = NULL;
    return 1;
}

static void digest_begin(void)
{
    digest_index = X509_get_ex_new_index(0, NULL, NULL, digest_copy, digest_free);
}

static void digest_make(const X509 *certificate, uint8_t out[32])
{
    unsigned len = 32;
    if (!X509_digest(certificate, EVP_sha256(), out, &len))
        memset(out, 0, 32); /* a fetched SHA-256 does not fail; zero matches nothing */
}

static void digest_keep(X509 *certificate)
{
    pthread_once(&digest_once, digest_begin);
    uint8_t *digest = malloc(32);
    if (!digest)
        abort();
    digest_make(certificate, digest);
    if (digest_index < 0 || !X509_set_ex_data(certificate, digest_index, digest))
        free(digest);
}

void sg_x509_sha256(const X509 *certificate, uint8_t out[32])
{
    pthread_once(&digest_once, digest_begin);
    const uint8_t *kept = digest_index < 0 ? NULL : X509_get_ex_data(certificate, digest_index);
    if (kept)
        memcpy(out, kept, 32);
    else
        digest_make(certificate, out);
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
    if (!x && (x = decode(der))) {
        digest_keep(x);
        keep(der, hash, x);
    }
    return x;
}
