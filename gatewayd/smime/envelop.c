#include "smime/smime.h"

#include "smime/der.h"
#include "smime/smime_internal.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE 16384

static const struct sg_bytes *const cipher_oids[] = {
    [SG_SMIME_AES128_CBC] = &sg_oid_aes128_cbc,
    [SG_SMIME_AES256_CBC] = &sg_oid_aes256_cbc,
    [SG_SMIME_3DES_CBC] = &sg_oid_des_ede3_cbc,
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

/* RecipientInfo (RFC 5652 §6.2.1): the content-encryption key to one certificate. */
static bool recipient_add(struct sg_buf *out, X509 *certificate, struct sg_bytes cek,
                          struct sg_error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    if (!key || !EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < SG_SMIME_RSA_BITS_MIN ||
        EVP_PKEY_get_bits(key) > SG_SMIME_RSA_BITS_MAX)
        return sg_fail_openssl(err, SG_E_CERT, "the recipient's certificate has no usable RSA key");
    uint8_t encrypted[SG_SMIME_RSA_BITS_MAX / 8];
    size_t len = sizeof encrypted, start = out->len;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) > 0 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
              EVP_PKEY_encrypt(ctx, encrypted, &len, cek.data, cek.len) > 0;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return sg_fail_openssl(err, SG_E_CRYPTO, "encryption to the recipient's key");
    sg_der_tlv(out, SG_BER_INTEGER, sg_bytes_of("\0", 1));
    if (!sg_smime_issuer_and_serial(out, certificate, err))
        return false;
    sg_der_algorithm(out, sg_oid_rsa_encryption, sg_der_null);
    sg_der_tlv(out, SG_BER_OCTETS, sg_bytes_of(encrypted, len));
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
    return true;
}

/*
 * All of the EnvelopedData before the ciphertext. How long that becomes is known, so every length
 * is definite: no reader has to cope with BER.
 */
static bool front_build(struct sg_buf *front, X509 *const *recipients, size_t recipient_count,
                        struct sg_bytes cek, struct sg_bytes cipher_oid, struct sg_bytes iv,
                        uint64_t cipher_len, struct sg_error *err)
{
    SG_AUTO_BUF infos;
    sg_buf_init(&infos, 0);
    for (size_t i = 0; i < recipient_count; i++)
        if (!recipient_add(&infos, recipients[i], cek, err))
            return false;
    sg_der_wrap(&infos, 0, SG_BER_SET);

    SG_AUTO_BUF content; /* EncryptedContentInfo, open at its end */
    sg_buf_init(&content, 0);
    SG_AUTO_BUF params;
    sg_buf_init(&params, 0);
    sg_der_tlv(&params, SG_BER_OCTETS, iv);
    sg_der_tlv(&content, SG_BER_OID, sg_oid_data);
    sg_der_algorithm(&content, cipher_oid, sg_buf_bytes(&params));
    sg_der_head(&content, SG_BER_CONTEXT | 0, cipher_len);

    uint64_t content_len = content.len + cipher_len;
    uint64_t enveloped_len = 3 + infos.len + sg_der_head_size(content_len) + content_len;
    uint64_t explicit_len = sg_der_head_size(enveloped_len) + enveloped_len;
    uint64_t whole_len =
        2 + sg_oid_enveloped_data.len + sg_der_head_size(explicit_len) + explicit_len;
    sg_der_head(front, SG_BER_SEQUENCE, whole_len);
    sg_der_tlv(front, SG_BER_OID, sg_oid_enveloped_data);
    sg_der_head(front, SG_BER_EXPLICIT(0), explicit_len);
    sg_der_head(front, SG_BER_SEQUENCE, enveloped_len);
    sg_der_tlv(front, SG_BER_INTEGER, sg_bytes_of("\0", 1)); /* version 0 */
    sg_buf_add(front, infos.data, infos.len);
    sg_der_head(front, SG_BER_SEQUENCE, content_len);
    sg_buf_add(front, content.data, content.len);
    return true;
}

/* The multipart/signed around the entity: what stands before and behind its octets. */
struct wrapping {
    struct sg_buf before, behind;
};

static bool buf_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

static bool wrapping_build(struct wrapping *w, struct sg_bytes signature, struct sg_error *err)
{
    uint8_t random[16];
    char boundary[64];
    if (RAND_bytes(random, sizeof random) != 1)
        return sg_fail_openssl(err, SG_E_CRYPTO, "random octets");
    /* 128 random bits: no content holds it, by chance or by intent. "=_" cannot occur in base64 or
     * quoted-printable text. */
    size_t n = (size_t)snprintf(boundary, sizeof boundary, "=_sealgate_");
    for (size_t i = 0; i < sizeof random; i++)
        n += (size_t)snprintf(boundary + n, sizeof boundary - n, "%02x", random[i]);
    sg_buf_addf(&w->before,
                "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n"
                "\tmicalg=sha-256; boundary=\"%s\"\r\n\r\n--%s\r\n",
                boundary, boundary);
    sg_buf_addf(&w->behind,
                "\r\n--%s\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
                "Content-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n",
                boundary);
    struct sg_base64_encoder *encoder = malloc(sizeof *encoder);
    if (!encoder)
        abort();
    const struct sg_sink sink = {buf_write, &w->behind};
    sg_base64_encode_begin(encoder, &sink);
    bool ok = sg_base64_encode_write(encoder, signature.data, signature.len, err) &&
              sg_base64_encode_end(encoder, err);
    free(encoder);
    sg_buf_addf(&w->behind, "--%s--\r\n", boundary);
    return ok;
}

static bool key_make(EVP_CIPHER_CTX *ctx, const struct sg_cipher_algorithm *cipher,
                     struct sg_secret *cek, uint8_t *iv, struct sg_error *err)
{
    cek->len = cipher->key_bytes;
    /* rand_key sets the parity bits of 3DES, which some readers check. */
    if (!EVP_EncryptInit_ex(ctx, cipher->cipher(), NULL, NULL, NULL) ||
        EVP_CIPHER_CTX_rand_key(ctx, cek->data) <= 0 ||
        RAND_bytes(iv, EVP_CIPHER_CTX_get_iv_length(ctx)) != 1 ||
        !EVP_EncryptInit_ex(ctx, NULL, NULL, cek->data, iv))
        return sg_fail_openssl(err, SG_E_CRYPTO, "content-encryption key");
    return true;
}

static bool body_write(struct sealing *s, const struct sg_smime_entity *entity,
                       const struct wrapping *w, struct sg_error *err)
{
    const struct sg_sink sink = {seal_write, s};
    int last = 0;
    if (!seal_write(s, w->before.data, w->before.len, err) ||
        !seal_write(s, entity->headers.data, entity->headers.len, err) ||
        !seal_write(s, "\r\n", 2, err) ||
        !sg_spool_copy(entity->body, entity->offset, entity->len, &sink, err) ||
        !seal_write(s, w->behind.data, w->behind.len, err))
        return false;
    if (!EVP_EncryptFinal_ex(s->cipher, s->out, &last))
        return sg_fail_openssl(err, SG_E_CRYPTO, "encryption");
    return sg_base64_encode_write(&s->base64, s->out, (size_t)last, err) &&
           sg_base64_encode_end(&s->base64, err);
}

static bool envelop(struct sealing *s, const struct sg_smime_entity *entity, struct wrapping *w,
                    struct sg_bytes signature, X509 *const *recipients, size_t recipient_count,
                    const struct sg_cipher_algorithm *cipher, const struct sg_sink *out,
                    struct sg_error *err)
{
    SG_AUTO_SECRET cek = {0};
    SG_AUTO_BUF front;
    sg_buf_init(&front, 0);
    uint8_t iv[EVP_MAX_IV_LENGTH];
    if (!wrapping_build(w, signature, err) || !key_make(s->cipher, cipher, &cek, iv, err))
        return false;
    uint64_t plain = w->before.len + entity->headers.len + 2 + entity->len + w->behind.len;
    uint64_t block = (uint64_t)EVP_CIPHER_CTX_get_block_size(s->cipher);
    size_t iv_len = (size_t)EVP_CIPHER_CTX_get_iv_length(s->cipher);
    if (!front_build(&front, recipients, recipient_count, sg_bytes_of(cek.data, cek.len),
                     cipher->oid, sg_bytes_of(iv, iv_len), (plain / block + 1) * block, err))
        return false;
    sg_base64_encode_begin(&s->base64, out);
    return sg_base64_encode_write(&s->base64, front.data, front.len, err) &&
           body_write(s, entity, w, err);
}

bool sg_smime_envelop(const struct sg_smime_entity *entity, struct sg_bytes signature,
                      X509 *const *recipients, size_t recipient_count, enum sg_smime_cipher cipher,
                      struct sg_buf *headers_r, const struct sg_sink *out, struct sg_error *err)
{
    if (recipient_count == 0)
        return sg_fail(err, SG_E_CERT_NONE, "nobody to encrypt to");
    if (entity->offset > sg_spool_size(entity->body) ||
        entity->len > sg_spool_size(entity->body) - entity->offset)
        return sg_fail(err, SG_E_INTERNAL, "the entity is no range of its spool");
    ERR_clear_error();
    struct wrapping w;
    sg_buf_init(&w.before, 0);
    sg_buf_init(&w.behind, 0);
    struct sealing *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->cipher = EVP_CIPHER_CTX_new();
    bool ok = s->cipher || sg_fail_openssl(err, SG_E_NO_MEMORY, "cipher");
    ok = ok && envelop(s, entity, &w, signature, recipients, recipient_count,
                       sg_cipher_find(*cipher_oids[cipher]), out, err);
    if (ok)
        sg_buf_adds(headers_r,
                    "MIME-Version: 1.0\r\n"
                    "Content-Type: application/pkcs7-mime; smime-type=enveloped-data;\r\n"
                    "\tname=\"smime.p7m\"\r\n"
                    "Content-Transfer-Encoding: base64\r\n"
                    "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n");
    EVP_CIPHER_CTX_free(s->cipher);
    free(s);
    sg_buf_free(&w.before);
    sg_buf_free(&w.behind);
    return ok;
}
