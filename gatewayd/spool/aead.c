#include "spool/aead.h"

#include "common/random.h"

#include <limits.h>
#include <openssl/evp.h>

#define KEY_BYTES   32
#define NONCE_BYTES 12
#define TAG_BYTES   16

static void cipher_free(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}
#define AUTO_CIPHER __attribute__((cleanup(cipher_free))) EVP_CIPHER_CTX *

static bool check_sizes(const struct sg_secret *key, struct sg_bytes aad, size_t len,
                        struct sg_error *err)
{
    if (key->len != KEY_BYTES)
        return sg_fail(err, SG_E_CRYPTO, "key of %zu bytes, not 32", key->len);
    if (aad.len > INT_MAX || len > INT_MAX - SG_AEAD_OVERHEAD)
        return sg_fail(err, SG_E_LIMIT, "piece too large to seal");
    return true;
}

/* Nothing of a piece that did not come to its end stays in out. */
static bool undo(struct sg_buf *out, size_t len)
{
    if (out->len > len)
        OPENSSL_cleanse(out->data + len, out->len - len);
    out->len = len;
    if (out->data)
        out->data[len] = 0;
    return false;
}

bool sg_aead_seal(const struct sg_secret *key, struct sg_bytes aad, struct sg_bytes plain,
                  struct sg_buf *out, struct sg_error *err)
{
    if (!check_sizes(key, aad, plain.len, err))
        return false;
    uint8_t nonce[NONCE_BYTES], tag[TAG_BYTES] = {0};
    sg_random(nonce, sizeof nonce);
    size_t start = out->len;
    /* The tag's room is taken first, so that nothing fails for want of it later. */
    if (!sg_buf_add(out, nonce, sizeof nonce) || !sg_buf_add(out, plain.data, plain.len) ||
        !sg_buf_add(out, tag, sizeof tag)) {
        undo(out, start);
        return sg_fail(err, SG_E_LIMIT, "no room for the sealed piece");
    }
    uint8_t *text = out->data + start + NONCE_BYTES;
    int n = 0, last = 0;
    AUTO_CIPHER ctx = EVP_CIPHER_CTX_new();
    if (!ctx || EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key->data, nonce, NULL) != 1 ||
        (aad.len && EVP_EncryptUpdate(ctx, NULL, &n, aad.data, (int)aad.len) != 1) ||
        EVP_EncryptUpdate(ctx, text, &n, text, (int)plain.len) != 1 ||
        EVP_EncryptFinal_ex(ctx, text + n, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + plain.len) != 1) {
        undo(out, start);
        return sg_fail_openssl(err, SG_E_CRYPTO, "sealing");
    }
    return true;
}

bool sg_aead_open(const struct sg_secret *key, struct sg_bytes aad, struct sg_bytes sealed,
                  struct sg_buf *out, struct sg_error *err)
{
    if (!check_sizes(key, aad, sealed.len, err))
        return false;
    if (sealed.len < SG_AEAD_OVERHEAD)
        return sg_fail(err, SG_E_CRYPTO, "sealed piece cut short");
    size_t len = sealed.len - SG_AEAD_OVERHEAD, start = out->len;
    const uint8_t *nonce = sealed.data, *cipher = nonce + NONCE_BYTES;
    uint8_t tag[TAG_BYTES];
    memcpy(tag, cipher + len, sizeof tag);
    if (!sg_buf_add(out, cipher, len))
        return sg_fail(err, SG_E_LIMIT, "no room for the opened piece");
    uint8_t *text = out->data + start;
    int n = 0, last = 0;
    AUTO_CIPHER ctx = EVP_CIPHER_CTX_new();
    if (!ctx || EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key->data, nonce, NULL) != 1 ||
        (aad.len && EVP_DecryptUpdate(ctx, NULL, &n, aad.data, (int)aad.len) != 1) ||
        EVP_DecryptUpdate(ctx, text, &n, text, (int)len) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1 ||
        EVP_DecryptFinal_ex(ctx, text + n, &last) != 1) {
        undo(out, start);
        return sg_fail_openssl(err, SG_E_CRYPTO, "sealed piece does not fit its place or its key");
    }
    return true;
}
