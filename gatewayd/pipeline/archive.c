#include "pipeline/archive.h"

#include "schema/archive.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

#define BUCKETS   4096
#define KEPT_DAYS 2 /* late retries; other days' keys go when a new day comes */

struct cached {
    struct cached *next;
    int64_t day;
    char id[32];
    struct sg_secret key;
    char tenant[];
};

struct sg_archive {
    struct sg_gateway *gw;
    pthread_mutex_t mutex;
    struct cached *buckets[BUCKETS];
    int64_t today; /* when keys of other days were dropped last */
};

struct sg_archive *sg_archive_new(struct sg_gateway *gw)
{
    struct sg_archive *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->gw = gw;
    pthread_mutex_init(&a->mutex, NULL);
    return a;
}

static void cached_free(struct cached *c)
{
    sg_secret_wipe(&c->key);
    free(c);
}

/* Drops the keys of the days before the first, and behind the last. */
static void cache_drop(struct sg_archive *a, int64_t first, int64_t last)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct cached **at = &a->buckets[i]; *at;) {
            struct cached *c = *at;
            if (c->day >= first && c->day <= last) {
                at = &c->next;
                continue;
            }
            *at = c->next;
            cached_free(c);
        }
    }
}

void sg_archive_free(struct sg_archive **archive)
{
    if (!*archive)
        return;
    cache_drop(*archive, 1, 0);
    pthread_mutex_destroy(&(*archive)->mutex);
    free(*archive);
    *archive = NULL;
}

/* RSA-OAEP with SHA-256. */
static bool wrap(struct sg_bytes spki, const struct sg_secret *key, struct sg_buf *wrapped,
                 struct sg_error *err)
{
    const unsigned char *p = spki.data;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)spki.len);
    EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
    unsigned char out[1024];
    size_t len = sizeof out;
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) > 0 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
              EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0 &&
              EVP_PKEY_encrypt(ctx, out, &len, key->data, key->len) > 0 &&
              sg_buf_add(wrapped, out, len);
    if (!ok)
        sg_fail_openssl(err, SG_E_CRYPTO, "cannot wrap to the archive key");
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok;
}

static bool data_key_make(struct sg_archive *a, const char *tenant, int64_t day, struct cached *c,
                          struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF wrapped = {0};
    struct sg_archive_key_row row;
    sg_time now = sg_clock_now();
    bool found;
    struct sg_id id = sg_id_new("adk");
    if (!sg_archive_key_current(a->gw->db, arena, now, &row, &found, err))
        return false;
    if (!found)
        return sg_fail(err, SG_E_JOURNAL, "there is no archive key yet (tenantd makes it)");
    if (RAND_bytes(c->key.data, 32) != 1)
        return sg_fail_openssl(err, SG_E_CRYPTO, "no random key");
    c->key.len = 32;
    if (!wrap(row.spki, &c->key, &wrapped, err))
        return false;
    struct sg_archive_data_key stored = {.id = id.text,
                                         .archive_key_id = row.id,
                                         .node = a->gw->node,
                                         .tenant_id = tenant,
                                         .day = day,
                                         .wrapped = sg_buf_bytes(&wrapped),
                                         .created_at = now};
    if (!sg_archive_data_key_insert(a->gw->db, &stored, err))
        return false;
    c->day = day;
    memcpy(c->id, id.text, sizeof c->id);
    return true;
}

static struct cached **bucket_of(struct sg_archive *a, const char *tenant, int64_t day)
{
    uint32_t h = 2166136261u ^ (uint32_t)day; /* FNV-1a */
    for (; *tenant; tenant++)
        h = (h ^ (unsigned char)*tenant) * 16777619u;
    return &a->buckets[h % BUCKETS];
}

static struct cached *cache_find(struct sg_archive *a, const char *tenant, int64_t day)
{
    for (struct cached *c = *bucket_of(a, tenant, day); c; c = c->next)
        if (c->day == day && strcmp(c->tenant, tenant) == 0)
            return c;
    return NULL;
}

/* Another thread may have made one meanwhile: then that one is used, and this one by nobody. */
static struct cached *cache_add(struct sg_archive *a, struct cached *made)
{
    struct cached *c = cache_find(a, made->tenant, made->day);
    if (c) {
        cached_free(made);
        return c;
    }
    int64_t today = sg_clock_now() / SG_DAY; /* made->day is perhaps of a clock that was wrong */
    if (today != a->today) {
        a->today = today;
        cache_drop(a, today - KEPT_DAYS + 1, today + 1);
    }
    struct cached **bucket = bucket_of(a, made->tenant, made->day);
    made->next = *bucket;
    *bucket = made;
    return made;
}

/* The key is made without the lock: one tenant's first mail of the day keeps no other's waiting. */
static bool archive_key(void *ctx, const char *tenant, int64_t day, char id_r[32],
                        struct sg_secret *key_r, struct sg_error *err)
{
    struct sg_archive *a = ctx;
    pthread_mutex_lock(&a->mutex);
    struct cached *c = cache_find(a, tenant, day);
    if (!c) {
        pthread_mutex_unlock(&a->mutex);
        size_t size = strlen(tenant) + 1;
        struct cached *made = calloc(1, sizeof *made + size);
        if (!made)
            abort();
        memcpy(made->tenant, tenant, size);
        if (!data_key_make(a, tenant, day, made, err)) {
            cached_free(made);
            return false;
        }
        pthread_mutex_lock(&a->mutex);
        c = cache_add(a, made);
    }
    memcpy(id_r, c->id, 32);
    *key_r = c->key;
    pthread_mutex_unlock(&a->mutex);
    return true;
}

static bool journal_make(void *ctx, const char *binding, struct sg_secret *key_r,
                         struct sg_buf *wrapped_r, struct sg_error *err)
{
    struct sg_archive *a = ctx;
    return sg_hsm_data_key_make(a->gw->hsm, SG_HSM_JOURNAL, binding, key_r, wrapped_r, err);
}

static bool journal_open(void *ctx, const char *binding, struct sg_bytes wrapped,
                         struct sg_secret *key_r, struct sg_error *err)
{
    struct sg_archive *a = ctx;
    return sg_hsm_data_key_open(a->gw->hsm, SG_HSM_JOURNAL, binding, wrapped, key_r, err);
}

struct sg_journal_keys sg_archive_journal_keys(struct sg_archive *archive)
{
    return (struct sg_journal_keys){archive, journal_make, journal_open, archive_key};
}
