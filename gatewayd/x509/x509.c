#include "x509/x509.h"

#include "common/certificate.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Who lets go of a certificate last frees its note. The count is libcrypto's, whose atomics
 * ThreadSanitizer does not see. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define NOTE_USED(note) __tsan_release(note)
#define NOTE_LAST(note) __tsan_acquire(note)
#else
#define NOTE_USED(note) ((void)(note))
#define NOTE_LAST(note) ((void)(note))
#endif

#define MAX_DER  16384 /* of what is kept: several times what an authority makes */
#define WAYS     4
#define AT_FIRST 256

struct kept {
    uint64_t hash;
    X509 *certificate;  /* NULL: the place is empty */
    unsigned char *der; /* as OpenSSL made it */
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

/* What lies with a certificate that was decoded here: it was put there before others could see it.
 */
struct note {
    uint8_t sha256[32];
    atomic_bool kept;
};
static int note_index = -1;
static pthread_once_t note_once = PTHREAD_ONCE_INIT;

static void note_free(void *parent, void *note, CRYPTO_EX_DATA *all, int index, long arg, void *ctx)
{
    (void)parent, (void)all, (void)index, (void)arg, (void)ctx;
    NOTE_LAST(note);
    free(note);
}

/* A copy may be changed: it has none. */
static int note_copy(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **note, int index,
                     long arg, void *ctx)
{
    (void)to, (void)from, (void)index, (void)arg, (void)ctx;
    *note = NULL;
    return 1;
}

static void note_begin(void)
{
    note_index = X509_get_ex_new_index(0, NULL, NULL, note_copy, note_free);
}

static struct note *note_of(const X509 *certificate)
{
    pthread_once(&note_once, note_begin);
    return note_index < 0 ? NULL : X509_get_ex_data(certificate, note_index);
}

static void digest_make(const X509 *certificate, uint8_t out[32])
{
    unsigned len = 32;
    if (!X509_digest(certificate, EVP_sha256(), out, &len))
        memset(out, 0, 32); /* a fetched SHA-256 does not fail; zero matches nothing */
}

static void note_make(X509 *certificate)
{
    pthread_once(&note_once, note_begin);
    struct note *note = calloc(1, sizeof *note);
    if (!note)
        abort();
    digest_make(certificate, note->sha256);
    if (note_index < 0 || !X509_set_ex_data(certificate, note_index, note))
        free(note);
}

void sg_x509_sha256(const X509 *certificate, uint8_t out[32])
{
    struct note *note = note_of(certificate);
    if (!note) {
        digest_make(certificate, out);
        return;
    }
    memcpy(out, note->sha256, 32);
    NOTE_USED(note);
}

static void kept_free(struct kept *kept)
{
    if (kept->certificate) {
        struct note *note = note_of(kept->certificate);
        note->kept = false; /* who still has it may have it kept again */
        NOTE_USED(note);
    }
    X509_free(kept->certificate);
    OPENSSL_free(kept->der);
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

static void keep(X509 *certificate, unsigned char *der, size_t len)
{
    struct kept gone, fresh = {hash_of(sg_bytes_of(der, len)), certificate, der, len};
    X509_up_ref(certificate);
    pthread_mutex_lock(&table.mutex);
    struct kept *set = table.sets ? &table.places[fresh.hash % table.sets * WAYS] : NULL;
    if (set) {
        gone = set[WAYS - 1];
        set[WAYS - 1] = fresh;
        to_front(set, WAYS - 1);
    }
    pthread_mutex_unlock(&table.mutex);
    kept_free(set ? &gone : &fresh);
}

void sg_x509_remember(X509 *certificate)
{
    struct note *note = note_of(certificate);
    unsigned char *der = NULL;
    int len = note && !atomic_load(&note->kept) ? i2d_X509(certificate, &der) : 0;
    bool fresh = len > 0 && len <= MAX_DER && !atomic_exchange(&note->kept, true);
    NOTE_USED(note);
    if (fresh)
        keep(certificate, der, (size_t)len);
    else
        OPENSSL_free(der);
}

X509 *sg_x509_decode(struct sg_bytes der)
{
    pthread_once(&table.once, begin);
    X509 *x = der.len && der.len <= MAX_DER ? find(der, hash_of(der)) : NULL;
    if (!x && (x = sg_certificate_read(der)))
        note_make(x);
    return x;
}
