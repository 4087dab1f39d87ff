#include "hsm/keyring.h"

#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_SIZE    (SG_KEK_LABEL_MAX + 32)
#define OBJECTS_GUESS 256 /* secret keys on a token; more are found all the same */
#define RELOAD_MIN_MS 1000

struct sg_keyring {
    char label[SG_KEK_LABEL_MAX + 1];
    pthread_mutex_t mutex;
    unsigned session_generation; /* in which the handles were found */
    atomic_bool stale;           /* … but there may be others now; without the mutex */
    int64_t loaded_at;           /* ms */
    size_t count;
    struct sg_kek keks[SG_KEK_GENERATIONS];
};

struct sg_keyring *sg_keyring_new(const char *label)
{
    struct sg_keyring *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    snprintf(k->label, sizeof k->label, "%s", label);
    pthread_mutex_init(&k->mutex, NULL);
    return k;
}

void sg_keyring_free(struct sg_keyring **keyring)
{
    if (!*keyring)
        return;
    pthread_mutex_destroy(&(*keyring)->mutex);
    free(*keyring);
    *keyring = NULL;
}

/* "<prefix>-<n>" → n; 0: it is not of that form. */
static unsigned generation_of(struct sg_bytes label, const char *prefix)
{
    size_t n = strlen(prefix);
    unsigned generation = 0;
    if (!sg_bytes_starts(label, prefix) || label.len < n + 2 || label.len > n + 6 ||
        label.data[n] != '-' || label.data[n + 1] == '0')
        return 0;
    for (size_t i = n + 1; i < label.len; i++) {
        if (label.data[i] < '0' || label.data[i] > '9')
            return 0;
        generation = generation * 10 + (label.data[i] - '0');
    }
    return generation;
}

static struct sg_kek *slot_of(struct sg_kek *keks, size_t *count, unsigned generation)
{
    for (size_t i = 0; i < *count; i++)
        if (keks[i].generation == generation)
            return &keks[i];
    if (*count == SG_KEK_GENERATIONS)
        return NULL;
    keks[*count] = (struct sg_kek){.generation = generation};
    return &keks[(*count)++];
}

static int by_generation(const void *a, const void *b)
{
    const struct sg_kek *x = a, *y = b;
    return (x->generation > y->generation) - (x->generation < y->generation);
}

/* All of them: what is not listed would be made a second time. *found_r is the caller's to free. */
static CK_RV secret_keys_find(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session,
                              CK_OBJECT_HANDLE **found_r, CK_ULONG *count_r)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE wanted[] = {SG_P11_VALUE(CKA_CLASS, class), SG_P11_BOOL(CKA_TOKEN, true)};
    CK_RV rv = CKR_OK;
    CK_ULONG max = OBJECTS_GUESS / 2;
    *found_r = NULL;
    do {
        max *= 2;
        free(*found_r);
        *found_r = calloc(max, sizeof **found_r);
        if (!*found_r)
            abort();
        rv = sg_p11_find(p11, session, wanted, 2, *found_r, max, count_r);
    } while (rv == CKR_OK && *count_r == max);
    return rv;
}

static void part_set(struct sg_kek *kek, int part, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_HANDLE *at = part == 0 ? &kek->kek : part == 1 ? &kek->data : &kek->mac;
    kek->twice |= *at != 0;
    *at = object;
}

CK_RV sg_kek_list(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *label,
                  struct sg_kek keks[SG_KEK_GENERATIONS], size_t *count_r)
{
    static const char *const parts[] = {"", "-data", "-mac"};
    CK_OBJECT_HANDLE *found;
    CK_ULONG n;
    *count_r = 0;
    CK_RV rv = secret_keys_find(p11, session, &found, &n);
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++) {
        uint8_t text[LABEL_SIZE];
        size_t len;
        rv = sg_p11_get(p11, session, found[i], CKA_LABEL, text, sizeof text, &len);
        if (rv == CKR_BUFFER_TOO_SMALL) {
            rv = CKR_OK; /* somebody else's key */
            continue;
        }
        for (int part = 0; rv == CKR_OK && part < 3; part++) {
            char prefix[LABEL_SIZE];
            snprintf(prefix, sizeof prefix, "%s%s", label, parts[part]);
            unsigned generation = generation_of(sg_bytes_of(text, len), prefix);
            struct sg_kek *kek = generation ? slot_of(keks, count_r, generation) : NULL;
            if (kek)
                part_set(kek, part, found[i]);
        }
    }
    free(found);
    if (rv != CKR_OK)
        *count_r = 0;
    qsort(keks, *count_r, sizeof keks[0], by_generation);
    return rv;
}

static bool lookup(const struct sg_keyring *k, unsigned generation, struct sg_kek *kek_r,
                   bool *twice_r)
{
    *twice_r = false;
    for (size_t i = k->count; i > 0; i--) {
        const struct sg_kek *kek = &k->keks[i - 1];
        if (generation != 0 && kek->generation != generation)
            continue;
        *twice_r = kek->twice;
        if (kek->twice || !kek->kek || !kek->data || !kek->mac)
            continue;
        *kek_r = *kek;
        return true;
    }
    return false;
}

/* With the mutex held. */
static CK_RV load(struct sg_keyring *k, const struct sg_session *s)
{
    k->count = 0;
    CK_RV rv = sg_kek_list(s->p11, s->handle, k->label, k->keks, &k->count);
    if (rv == CKR_OK && k->count == 0)
        rv = sg_session_check(s); /* without a login there is nothing to be seen */
    k->loaded_at = sg_clock_monotonic_ms();
    k->session_generation = rv == CKR_OK ? s->generation : 0;
    for (size_t i = 0; i < k->count; i++)
        if (k->keks[i].twice)
            sg_log(SG_LOG_ERROR, "hsm.kek-twice", "generation", sg_log_num(k->keks[i].generation),
                   NULL);
    return rv;
}

CK_RV sg_keyring_get(struct sg_keyring *k, const struct sg_session *s, unsigned generation,
                     struct sg_kek *kek_r, struct sg_error *err)
{
    CK_RV rv = CKR_OK;
    bool twice = false;
    pthread_mutex_lock(&k->mutex);
    if (atomic_exchange(&k->stale, false))
        k->session_generation = 0;
    bool current = k->session_generation == s->generation;
    bool found = current && lookup(k, generation, kek_r, &twice);
    /* A generation that we do not know may have been made since; but look at most so often. */
    if (!current || (!found && sg_clock_monotonic_ms() - k->loaded_at >= RELOAD_MIN_MS)) {
        rv = load(k, s);
        found = rv == CKR_OK && lookup(k, generation, kek_r, &twice);
    }
    pthread_mutex_unlock(&k->mutex);
    if (rv != CKR_OK || found)
        return rv;
    if (generation != 0 && twice)
        sg_fail(err, SG_E_HSM_UNAVAILABLE, "of generation %u the token has a key twice",
                generation);
    else if (generation == 0)
        sg_fail(err, SG_E_HSM_UNAVAILABLE, "no key-encryption key on the token (hsmctl kek-make)");
    else
        sg_fail(err, SG_E_HSM_KEY, "the token has no key-encryption key of generation %u",
                generation);
    return SG_RV_REFUSED;
}

void sg_keyring_renew(struct sg_keyring *k)
{
    atomic_store(&k->stale, true); /* the module may hang in load() */
}

CK_RV sg_kek_mac(const struct sg_session *s, const struct sg_kek *kek, struct sg_bytes data,
                 uint8_t mac_r[SG_MAC_SIZE])
{
    CK_MECHANISM mechanism = {CKM_SHA256_HMAC, NULL, 0};
    size_t len = SG_MAC_SIZE;
    CK_RV rv = sg_p11_sign(s->p11, s->handle, kek->mac, &mechanism, data, mac_r, &len);
    return rv == CKR_OK && len != SG_MAC_SIZE ? CKR_FUNCTION_FAILED : rv;
}

struct secret_key {
    const char *part;
    CK_MECHANISM_TYPE mechanism;
    bool wraps, signs;
    CK_ATTRIBUTE *unwrapped; /* what unwrapping must give, or NULL */
    CK_ULONG unwrapped_size;
};

static CK_RV secret_key_make(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *label,
                             unsigned generation, const struct secret_key *key,
                             CK_OBJECT_HANDLE *made_r)
{
    char text[LABEL_SIZE];
    int n = snprintf(text, sizeof text, "%s%s-%u", label, key->part, generation);
    CK_ULONG bytes = 32;
    CK_MECHANISM mechanism = {key->mechanism, NULL, 0};
    CK_ATTRIBUTE attrs[] = {
        {CKA_LABEL, text, (CK_ULONG)n},
        SG_P11_VALUE(CKA_VALUE_LEN, bytes),
        SG_P11_BOOL(CKA_TOKEN, true),
        SG_P11_BOOL(CKA_PRIVATE, true),
        SG_P11_BOOL(CKA_SENSITIVE, true),
        SG_P11_BOOL(CKA_EXTRACTABLE, false),
        SG_P11_BOOL(CKA_MODIFIABLE, false),
        SG_P11_BOOL(CKA_ENCRYPT, false),
        SG_P11_BOOL(CKA_DECRYPT, false),
        SG_P11_BOOL(CKA_WRAP, key->wraps),
        SG_P11_BOOL(CKA_UNWRAP, key->wraps),
        SG_P11_BOOL(CKA_SIGN, key->signs),
        SG_P11_BOOL(CKA_VERIFY, key->signs),
        {CKA_UNWRAP_TEMPLATE, key->unwrapped, key->unwrapped_size},
    };
    CK_ULONG count = sizeof attrs / sizeof attrs[0];
    CK_RV rv = CKR_ATTRIBUTE_TYPE_INVALID;
    if (key->unwrapped)
        rv = p11->C_GenerateKey(session, &mechanism, attrs, count, made_r);
    /* Not every module knows the template: the MAC over the blob stands without it. */
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID)
        rv = p11->C_GenerateKey(session, &mechanism, attrs, count - 1, made_r);
    return rv;
}

CK_RV sg_kek_make(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *label,
                  unsigned generation)
{
    CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY, secret = CKO_SECRET_KEY;
    CK_ATTRIBUTE private_only[] = {SG_P11_VALUE(CKA_CLASS, private_key),
                                   SG_P11_BOOL(CKA_SENSITIVE, true),
                                   SG_P11_BOOL(CKA_EXTRACTABLE, false)};
    CK_ATTRIBUTE secret_only[] = {SG_P11_VALUE(CKA_CLASS, secret)};
    /* The KEK comes last: with it the generation is complete. */
    const struct secret_key keys[] = {
        {"-mac", CKM_GENERIC_SECRET_KEY_GEN, false, true, NULL, 0},
        {"-data", CKM_AES_KEY_GEN, true, false, secret_only, sizeof secret_only},
        {"", CKM_AES_KEY_GEN, true, false, private_only, sizeof private_only},
    };
    CK_OBJECT_HANDLE made[sizeof keys / sizeof keys[0]];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        CK_RV rv = secret_key_make(p11, session, label, generation, &keys[i], &made[i]);
        if (rv == CKR_OK)
            continue;
        while (i > 0)
            p11->C_DestroyObject(session, made[--i]);
        return rv;
    }
    return CKR_OK;
}
