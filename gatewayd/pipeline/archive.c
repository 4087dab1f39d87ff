#include "pipeline/archive.h"

#include "schema/archive.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

#define CACHE_MOST 4096 /* tenants of a day; beyond it the cache starts anew */

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
    struct cached *list;
    size_t count;
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

static void cache_drop(struct sg_archive *a)
{
    for (struct cached *c = a->list, *next; c; c = next) {
        next = c->next;
        sg_secret_wipe(&c->key);
        free(c);
    }
    a->list = NULL;
    a->count = 0;
}

void sg_archive_free(struct sg_archive **archive)
{
    if (!*archive)
        return;
    cache_drop(*archive);
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

static struct cached *cache_find(struct sg_archive *a, const char *tenant, int64_t day)
{
    for (struct cached *c = a->list; c; c = c->next)
        if (c->day == day && strcmp(c->tenant, tenant) == 0)
            return c;
    return NULL;
}

static bool archive_key(void *ctx, const char *tenant, int64_t day, char id_r[32],
                        struct sg_secret *key_r, struct sg_error *err)
{
    struct sg_archive *a = ctx;
    bool ok = true;
    pthread_mutex_lock(&a->mutex);
    struct cached *c = cache_find(a, tenant, day);
    if (!c) {
        size_t size = strlen(tenant) + 1;
        c = calloc(1, sizeof *c + size);
        if (!c)
            abort();
        memcpy(c->tenant, tenant, size);
        ok = data_key_make(a, tenant, day, c, err);
        if (!ok) {
            sg_secret_wipe(&c->key);
            free(c);
        } else {
            if (a->count >= CACHE_MOST)
                cache_drop(a);
            c->next = a->list;
            a->list = c;
            a->count++;
        }
    }
    if (ok) {
        memcpy(id_r, c->id, 32);
        *key_r = c->key;
    }
    pthread_mutex_unlock(&a->mutex);
    return ok;
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
