#include "api/idempotency.h"

#include "schema/idempotency.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX     255
#define NONCE_BYTES 12
#define TAG_BYTES   16

/* Visible ASCII; the draft's quotes around it are accepted and mean nothing. */
static const char *key_read(const struct api_request *r, struct sg_error *err)
{
    const char *text = r->idempotency_key;
    size_t n = strlen(text);
    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text = sg_arena_str(r->arena, sg_bytes_of(text + 1, n - 2));
        n -= 2;
    }
    for (size_t i = 0; i < n; i++)
        if (text[i] < '!' || text[i] > '~')
            n = 0;
    if (n >= 1 && n <= KEY_MAX)
        return text;
    sg_fail(err, SG_E_MALFORMED, "Idempotency-Key must have 1 to %d visible characters of ASCII",
            KEY_MAX);
    return NULL;
}

static bool part_add(EVP_MD_CTX *ctx, struct sg_bytes part)
{
    uint64_t n = part.len;
    return EVP_DigestUpdate(ctx, &n, sizeof n) == 1 &&
           EVP_DigestUpdate(ctx, part.data, part.len) == 1;
}

static bool fingerprint(const struct api_request *r, uint8_t out[32], struct sg_error *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              part_add(ctx, sg_bytes_str(r->method)) && part_add(ctx, sg_bytes_str(r->path)) &&
              part_add(ctx, r->body) && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok || sg_fail_openssl(err, SG_E_CRYPTO, "no SHA-256");
}

/* HMAC with the token as its key: who has the database alone cannot make it. */
static bool sealing_key(const char *authorization, const char *key, uint8_t out[32])
{
    static const char label[] = "sealgate idempotency secret\n";
    char text[sizeof label + KEY_MAX + 1];
    unsigned n = 0;
    if (!authorization)
        return false;
    snprintf(text, sizeof text, "%s%s", label, key);
    return HMAC(EVP_sha256(), authorization, (int)strlen(authorization), (uint8_t *)text,
                strlen(text), out, &n) &&
           n == 32;
}

bool api_idempotency_seal(struct sg_arena *arena, const char *authorization, const char *key,
                          const char *secret, struct sg_bytes *out_r)
{
    uint8_t bits[32];
    int n = 0, len = (int)strlen(secret);
    if (!sealing_key(authorization, key, bits))
        return false;
    uint8_t *out = sg_arena_alloc(arena, NONCE_BYTES + (size_t)len + TAG_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && RAND_bytes(out, NONCE_BYTES) == 1 &&
              EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, bits, out) == 1 &&
              EVP_EncryptUpdate(ctx, out + NONCE_BYTES, &n, (const uint8_t *)secret, len) == 1 &&
              n == len && EVP_EncryptFinal_ex(ctx, out + NONCE_BYTES + len, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + NONCE_BYTES + len);
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(bits, sizeof bits);
    *out_r = sg_bytes_of(out, NONCE_BYTES + (size_t)len + TAG_BYTES);
    return ok;
}

bool api_idempotency_open(struct sg_arena *arena, const char *authorization, const char *key,
                          struct sg_bytes sealed, const char **secret_r)
{
    uint8_t bits[32];
    int n = 0;
    if (sealed.len < NONCE_BYTES + TAG_BYTES || !sealing_key(authorization, key, bits))
        return false;
    int len = (int)(sealed.len - NONCE_BYTES - TAG_BYTES);
    char *out = sg_arena_alloc(arena, (size_t)len + 1);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, bits, sealed.data) == 1 &&
              EVP_DecryptUpdate(ctx, (uint8_t *)out, &n, sealed.data + NONCE_BYTES, len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
                                  (void *)(sealed.data + NONCE_BYTES + len)) == 1 &&
              EVP_DecryptFinal_ex(ctx, (uint8_t *)out + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(bits, sizeof bits);
    *secret_r = out;
    return ok;
}

static bool kept_read(struct api_request *r, const char *key,
                      const struct sg_idempotency_answer *kept, struct sg_error *err)
{
    const char *secret;
    json_t *body = kept->body ? json_loads(kept->body, 0, NULL) : NULL;
    if (kept->body && !body)
        return sg_fail(err, SG_E_INTERNAL, "a kept answer is not JSON");
    /* The place of the secret is held by null, under the name that its reply gave it. */
    if (kept->secret.len &&
        api_idempotency_open(r->arena, r->authorization, key, kept->secret, &secret)) {
        const char *name;
        json_t *value;
        json_t *whole = json_loads(secret, 0, NULL);
        json_object_foreach(whole, name, value) json_object_set(body, name, value);
        json_decref(whole);
    }
    api_reply_clear(r);
    r->reply = (struct api_reply){.status = (int)kept->status,
                                  .body = body,
                                  .location = kept->location,
                                  .secret = kept->secret.len ? "" : NULL,
                                  .replayed = true};
    return true;
}

static struct sg_idempotency_key key_of(const struct api_request *r, const char *key,
                                        const uint8_t digest[32])
{
    return (struct sg_idempotency_key){.caller = api_caller_id(&r->caller),
                                       .key = key,
                                       .tenant_id = r->caller.tenant_id,
                                       .fingerprint = sg_bytes_of(digest, 32)};
}

static bool keyed(const struct api_request *r)
{
    return r->idempotency_key && strcmp(r->method, "GET") != 0;
}

bool api_idempotency_begin(struct api_request *r, struct sg_tx *tx,
                           const struct api_idempotency_options *options, bool *done_r,
                           struct sg_error *err)
{
    uint8_t digest[32];
    bool taken;
    struct sg_idempotency_answer kept = {0};
    *done_r = false;
    if (!keyed(r))
        return true;
    const char *text = key_read(r, err);
    if (!text || !fingerprint(r, digest, err))
        return false;
    const struct sg_idempotency_key key = key_of(r, text, digest);
    if (!sg_idempotency_claim(tx, r->arena, &key, options->ttl_ms, options->wait_ms, &taken, &kept,
                              err))
        return false;
    if (taken)
        return true;
    if (!sg_bytes_equal(kept.fingerprint, key.fingerprint))
        return sg_fail(err, SG_E_IDEMPOTENCY, "the key came with another request before");
    *done_r = true;
    return kept_read(r, text, &kept, err);
}

/* The body with null in the place of its secret; the secret, as {"name": "…"}, sealed. */
static bool secret_part(struct api_request *r, const char *key, json_t *body,
                        struct sg_bytes *sealed_r, struct sg_error *err)
{
    json_t *part = json_pack("{s:O}", r->reply.secret, json_object_get(body, r->reply.secret));
    char *text = json_dumps(part, JSON_COMPACT);
    json_decref(part);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "the secret could not be written as JSON");
    if (!r->authorization || !api_idempotency_seal(r->arena, r->authorization, key, text, sealed_r))
        *sealed_r = sg_bytes_str("-"); /* there was one, and nobody sees it again */
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    return json_object_set_new(body, r->reply.secret, json_null()) == 0 ||
           sg_fail(err, SG_E_NO_MEMORY, "out of memory");
}

bool api_idempotency_end(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    uint8_t none[32] = {0};
    struct sg_idempotency_answer kept = {.status = r->reply.status, .location = r->reply.location};
    if (!keyed(r))
        return true;
    const char *text = key_read(r, err);
    if (!text)
        return false;
    if (r->reply.media_type)
        return sg_fail(err, SG_E_INTERNAL, "an answer that is no JSON cannot be kept");
    json_t *body = r->reply.body ? json_copy(r->reply.body) : NULL;
    bool ok = !r->reply.secret || secret_part(r, text, body, &kept.secret, err);
    char *json = ok && body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    kept.body = json;
    const struct sg_idempotency_key key = key_of(r, text, none);
    ok = ok && sg_idempotency_store(tx, &key, &kept, err);
    free(json);
    return ok;
}
