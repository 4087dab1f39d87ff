#include "smime/smime.h"

#include "common/random.h"
#include "smime/der.h"
#include "smime/smime_internal.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE   16384
#define GCM_TAG 16

static const struct sg_bytes *const cipher_oids[] = {
    [SG_SMIME_AES128_CBC] = &sg_oid_aes128_cbc, [SG_SMIME_AES256_CBC] = &sg_oid_aes256_cbc,
    [SG_SMIME_3DES_CBC] = &sg_oid_des_ede3_cbc, [SG_SMIME_AES128_GCM] = &sg_oid_aes128_gcm,
    [SG_SMIME_AES256_GCM] = &sg_oid_aes256_gcm,
};

/* Encrypts what is written to it into base64. */
struct sealing {
    EVP_CIPHER_CTX *cipher;
    struct sg_base64_encoder base64;
    uint8_t out[PIECE + EVP_MAX_BLOCK_LENGTH];
};

static bool seal_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct sealing *s = ctx;
    const uint8_t *p = data;
    while (len) {
        int n = len < PIECE ? (int)len : PIECE, got = 0;
        if (!EVP_EncryptUpdate(s->cipher, s->out, &got, p, n))
            return sg_fail_openssl(err, SG_E_CRYPTO, "encryption");
        if (!sg_base64_encode_write(&s->base64, s->out, (size_t)got, err))
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* The lengths of the CMS object that is being written, and what of it stands behind the ciphertext.
 */
struct layout {
    const struct sg_cipher_algorithm *cipher;
    uint64_t cipher_len;
    size_t mac_len; /* 0: no AuthEnvelopedData */
    uint8_t version;
};

/* What is written of the content-encryption algorithm: an IV, or GCMParameters (RFC 5084 §3.2). */
static void parameters_add(struct sg_buf *out, const struct layout *layout, struct sg_bytes iv)
{
    uint8_t mac_len = (uint8_t)layout->mac_len;
    sg_der_tlv(out, SG_BER_OCTETS, iv);
    if (!layout->cipher->gcm)
        return;
    sg_der_tlv(out, SG_BER_INTEGER, sg_bytes_of(&mac_len, 1)); /* 16 is not the default, 12 is */
    sg_der_wrap(out, 0, SG_BER_SEQUENCE);
}

/*
 * All of the CMS object before the ciphertext. How long that becomes is known, so every length is
 * definite: no reader has to cope with BER.
 */
static void front_build(struct sg_buf *front, const struct layout *layout, struct sg_bytes infos,
                        struct sg_bytes iv)
{
    struct sg_bytes type = layout->cipher->gcm ? sg_oid_auth_enveloped_data : sg_oid_enveloped_data;
    SG_AUTO_BUF content; /* EncryptedContentInfo, open at its end */
    sg_buf_init(&content, 0);
    SG_AUTO_BUF params;
    sg_buf_init(&params, 0);
    parameters_add(&params, layout, iv);
    sg_der_tlv(&content, SG_BER_OID, sg_oid_data);
    sg_der_algorithm(&content, layout->cipher->oid, sg_buf_bytes(&params));
    sg_der_head(&content, SG_BER_CONTEXT | 0, layout->cipher_len);

    uint64_t content_len = content.len + layout->cipher_len;
    uint64_t behind_len = layout->mac_len ? sg_der_head_size(layout->mac_len) + layout->mac_len : 0;
    uint64_t enveloped_len =
        3 + infos.len + sg_der_head_size(content_len) + content_len + behind_len;
    uint64_t explicit_len = sg_der_head_size(enveloped_len) + enveloped_len;
    uint64_t whole_len = 2 + type.len + sg_der_head_size(explicit_len) + explicit_len;
    sg_der_head(front, SG_BER_SEQUENCE, whole_len);
    sg_der_tlv(front, SG_BER_OID, type);
    sg_der_head(front, SG_BER_EXPLICIT(0), explicit_len);
    sg_der_head(front, SG_BER_SEQUENCE, enveloped_len);
    sg_der_tlv(front, SG_BER_INTEGER, sg_bytes_of(&layout->version, 1));
    sg_buf_add(front, infos.data, infos.len);
    sg_der_head(front, SG_BER_SEQUENCE, content_len);
    sg_buf_add(front, content.data, content.len);
}

static bool key_make(EVP_CIPHER_CTX *ctx, const struct sg_cipher_algorithm *cipher,
                     struct sg_secret *cek, uint8_t *iv, struct sg_error *err)
{
    cek->len = cipher->key_bytes;
    /* rand_key sets the parity bits of 3DES, which some readers check. */
    if (!EVP_EncryptInit_ex(ctx, cipher->cipher(), NULL, NULL, NULL) ||
        EVP_CIPHER_CTX_rand_key(ctx, cek->data) <= 0 ||
        (sg_random(iv, (size_t)EVP_CIPHER_CTX_get_iv_length(ctx)),
         !EVP_EncryptInit_ex(ctx, NULL, NULL, cek->data, iv)))
        return sg_fail_openssl(err, SG_E_CRYPTO, "content-encryption key");
    return true;
}

/* The tag of an AuthEnvelopedData, behind its ciphertext. */
static bool mac_write(struct sealing *s, size_t len, struct sg_error *err)
{
    uint8_t mac[GCM_TAG];
    SG_AUTO_BUF behind;
    sg_buf_init(&behind, 0);
    if (EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, (int)len, mac) <= 0)
        return sg_fail_openssl(err, SG_E_CRYPTO, "encryption");
    sg_der_tlv(&behind, SG_BER_OCTETS, sg_bytes_of(mac, len));
    return sg_base64_encode_write(&s->base64, behind.data, behind.len, err);
}

static bool body_write(struct sealing *s, const struct sg_smime_entity *entity,
                       const struct sg_smime_wrapping *w, const struct layout *layout,
                       struct sg_error *err)
{
    const struct sg_sink sink = {seal_write, s};
    int last = 0;
    if (!seal_write(s, w->field.data, w->field.len, err) || !seal_write(s, "\r\n", 2, err) ||
        !seal_write(s, w->before.data, w->before.len, err) ||
        !seal_write(s, entity->headers.data, entity->headers.len, err) ||
        !seal_write(s, "\r\n", 2, err) ||
        !sg_spool_copy(entity->body, entity->offset, entity->len, &sink, err) ||
        !seal_write(s, w->behind.data, w->behind.len, err))
        return false;
    if (!EVP_EncryptFinal_ex(s->cipher, s->out, &last))
        return sg_fail_openssl(err, SG_E_CRYPTO, "encryption");
    return sg_base64_encode_write(&s->base64, s->out, (size_t)last, err) &&
           (layout->mac_len == 0 || mac_write(s, layout->mac_len, err)) &&
           sg_base64_encode_end(&s->base64, err);
}

/* RFC 5652 §6.1: 2 where a RecipientInfo is of another version than 0; RFC 5083 §2.1: always 0. */
static uint8_t version_of(const struct sg_smime_recipient *recipients, size_t count,
                          const struct sg_cipher_algorithm *cipher)
{
    bool agreed = false;
    for (size_t i = 0; i < count; i++)
        agreed |= sg_curve_of(X509_get0_pubkey(recipients[i].certificate)) != NULL;
    return agreed && !cipher->gcm ? 2 : 0;
}

/* RecipientInfos. */
static bool recipients_add(struct sg_buf *out, const struct sg_smime_recipient *recipients,
                           size_t count, struct sg_bytes cek, struct sg_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!sg_smime_recipient_add(out, &recipients[i], cek, err))
            return false;
    sg_der_wrap(out, 0, SG_BER_SET);
    return true;
}

static bool envelop(struct sealing *s, const struct sg_smime_entity *entity,
                    struct sg_smime_wrapping *w, struct sg_bytes signature,
                    const struct sg_smime_recipient *recipients, size_t recipient_count,
                    const struct sg_cipher_algorithm *cipher, const struct sg_sink *out,
                    struct sg_error *err)
{
    SG_AUTO_SECRET cek = {0};
    SG_AUTO_BUF infos;
    sg_buf_init(&infos, 0);
    SG_AUTO_BUF front;
    sg_buf_init(&front, 0);
    uint8_t iv[EVP_MAX_IV_LENGTH];
    if (!sg_smime_wrap(signature, w, err) || !key_make(s->cipher, cipher, &cek, iv, err) ||
        !recipients_add(&infos, recipients, recipient_count, sg_bytes_of(cek.data, cek.len), err))
        return false;
    uint64_t plain =
        w->field.len + 2 + w->before.len + entity->headers.len + 2 + entity->len + w->behind.len;
    uint64_t block = (uint64_t)EVP_CIPHER_CTX_get_block_size(s->cipher);
    size_t iv_len = (size_t)EVP_CIPHER_CTX_get_iv_length(s->cipher);
    const struct layout layout = {.cipher = cipher,
                                  .cipher_len = cipher->gcm ? plain : (plain / block + 1) * block,
                                  .mac_len = cipher->gcm ? GCM_TAG : 0,
                                  .version = version_of(recipients, recipient_count, cipher)};
    front_build(&front, &layout, sg_buf_bytes(&infos), sg_bytes_of(iv, iv_len));
    sg_base64_encode_begin(&s->base64, out);
    return sg_base64_encode_write(&s->base64, front.data, front.len, err) &&
           body_write(s, entity, w, &layout, err);
}

bool sg_smime_envelop(const struct sg_smime_entity *entity, struct sg_bytes signature,
                      const struct sg_smime_recipient *recipients, size_t recipient_count,
                      enum sg_smime_cipher cipher, struct sg_buf *headers_r,
                      const struct sg_sink *out, struct sg_error *err)
{
    if (recipient_count == 0)
        return sg_fail(err, SG_E_CERT_NONE, "nobody to encrypt to");
    if (entity->offset > sg_spool_size(entity->body) ||
        entity->len > sg_spool_size(entity->body) - entity->offset)
        return sg_fail(err, SG_E_INTERNAL, "the entity is no range of its spool");
    ERR_clear_error();
    const struct sg_cipher_algorithm *algorithm = sg_cipher_find(*cipher_oids[cipher]);
    struct sg_smime_wrapping w = {0};
    struct sealing *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->cipher = EVP_CIPHER_CTX_new();
    bool ok = s->cipher || sg_fail_openssl(err, SG_E_NO_MEMORY, "cipher");
    ok = ok && envelop(s, entity, &w, signature, recipients, recipient_count, algorithm, out, err);
    if (ok)
        sg_buf_addf(headers_r,
                    "MIME-Version: 1.0\r\n"
                    "Content-Type: application/pkcs7-mime; smime-type=%s;\r\n"
                    "\tname=\"smime.p7m\"\r\n"
                    "Content-Transfer-Encoding: base64\r\n"
                    "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n",
                    algorithm->gcm ? "authEnveloped-data" : "enveloped-data");
    EVP_CIPHER_CTX_free(s->cipher);
    free(s);
    sg_smime_wrapping_free(&w);
    return ok;
}
