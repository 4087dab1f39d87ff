#include "smime/smime_internal.h"

#include <openssl/err.h>
#include <stdlib.h>

/* EnvelopedData (RFC 5652 §6) and AuthEnvelopedData (RFC 5083). */

#define PIECE 16384

bool sg_smime_fail_decrypt(struct sg_error *err)
{
    ERR_clear_error();
    return sg_fail(err, SG_E_CMS_DECRYPT, "the message could not be decrypted");
}

static bool unreadable(struct sg_error *err)
{
    return sg_fail(err, SG_E_CMS, "the recipients are unreadable");
}

static const char *const transports[] = {
    [SG_SMIME_RSA_PKCS1] = "rsa-pkcs1", [SG_SMIME_RSA_OAEP] = "rsa-oaep", [SG_SMIME_ECDH] = "ecdh"};

/* What became of the search for a recipient that is us. */
struct search {
    const struct sg_smime_options *options;
    size_t key_bytes; /* 0: only looks whether it is for us at all */
    bool opened, named, supported;
    size_t tries; /* of keys: each is an operation of the HSM's, and anybody can name us a thousand
                  times */
    struct sg_smime_layer *layer;
    struct sg_secret *cek;
    struct sg_error trouble; /* of the last key that could not be used */
};

static bool key_open(struct search *search, void *key, struct sg_smime_cek *cek,
                     const struct sg_tlv *encrypted_key, struct sg_error *err)
{
    SG_AUTO_BUF encrypted;
    sg_buf_init(&encrypted, SG_SMIME_RSA_BITS_MAX / 8);
    /* An empty one is no question for the HSM, whose refusal would be taken for its failure. */
    if (!sg_ber_octets(encrypted_key, SG_BER_OCTETS, &encrypted) || encrypted.len == 0)
        return unreadable(err);
    cek->encrypted = sg_buf_bytes(&encrypted);
    cek->key_bytes = search->key_bytes;
    if (!search->options->decrypt_cek(search->options->ctx, key, cek, search->cek, err))
        return false;
    return search->cek->len == search->key_bytes ||
           sg_fail(err, SG_E_INTERNAL, "a content-encryption key of another length");
}

static bool is_verdict(const struct sg_error *err)
{
    return err->code == SG_E_CMS || err->code == SG_E_CMS_DECRYPT;
}

/* Tries an encrypted key with every key of ours that its identifier names: by nothing else is one
 * matched. cek NULL: it came in a way that we do not do. */
static void keys_try(struct search *search, const struct sg_tlv *identifier,
                     struct sg_smime_cek *cek, bool curve, const struct sg_tlv *encrypted)
{
    const struct sg_smime_options *options = search->options;
    struct sg_error why = {0};
    for (size_t i = 0; i < options->own_count && !search->opened; i++) {
        X509 *certificate = options->own[i].certificate;
        if (!sg_smime_names(identifier, certificate))
            continue;
        search->named = search->layer->for_us = true;
        if (search->key_bytes == 0 || !cek ||
            curve != (sg_curve_of(X509_get0_pubkey(certificate)) != NULL))
            continue;
        if (search->tries == options->max_tries)
            return;
        search->tries++;
        search->supported = true;
        search->layer->own_key = i;
        search->layer->transport = transports[cek->transport];
        search->opened = key_open(search, options->own[i].key, cek, encrypted, &why);
        /* A key that is away may have been the right one: that counts for more than a verdict. */
        if (!search->opened && (search->trouble.code == SG_OK || is_verdict(&search->trouble)))
            search->trouble = why;
    }
}

/* A digest that OAEP may use, by its AlgorithmIdentifier. */
static bool oaep_digest(struct sg_ber *in, const char **name_r)
{
    struct sg_bytes oid, params;
    if (!sg_smime_algorithm_read(in, &oid, &params))
        return false;
    const struct sg_digest_algorithm *digest = sg_digest_find(oid);
    *name_r = digest ? digest->name : NULL;
    return digest && digest->md != EVP_sha224;
}

/* RSAES-OAEP-params (RFC 4055 §4.1): SHA-1 for what is not there; a label is none of ours. */
static bool oaep_read(struct sg_bytes params, struct sg_smime_cek *cek)
{
    struct sg_ber in = sg_ber_of(params), inside;
    struct sg_tlv sequence, part, label;
    struct sg_bytes oid, rest;
    cek->transport = SG_SMIME_RSA_OAEP;
    cek->digest = cek->mask = "sha1";
    if (!sg_ber_expect(&in, SG_BER_SEQUENCE, &sequence))
        return false;
    in = sg_ber_of(sequence.content);
    if (sg_ber_peek(&in) == SG_BER_EXPLICIT(0)) {
        if (!sg_ber_next(&in, &part))
            return false;
        inside = sg_ber_of(part.content);
        if (!oaep_digest(&inside, &cek->digest))
            return false;
    }
    if (sg_ber_peek(&in) == SG_BER_EXPLICIT(1)) {
        if (!sg_ber_next(&in, &part))
            return false;
        inside = sg_ber_of(part.content);
        if (!sg_smime_algorithm_read(&inside, &oid, &rest) || !sg_bytes_equal(oid, sg_oid_mgf1))
            return false;
        inside = sg_ber_of(rest);
        if (!oaep_digest(&inside, &cek->mask))
            return false;
    }
    if (sg_ber_peek(&in) == SG_BER_EXPLICIT(2)) {
        if (!sg_ber_next(&in, &part))
            return false;
        inside = sg_ber_of(part.content);
        if (!sg_smime_algorithm_read(&inside, &oid, &rest) ||
            !sg_bytes_equal(oid, sg_oid_p_specified))
            return false;
        inside = sg_ber_of(rest);
        if (!sg_ber_expect(&inside, SG_BER_OCTETS, &label) || label.content.len)
            return false;
    }
    return !sg_ber_more(&in);
}

/* KeyTransRecipientInfo (RFC 5652 §6.2.1). */
static bool transport_try(const struct sg_tlv *info, struct search *search, struct sg_error *err)
{
    struct sg_ber in = sg_ber_of(info->content);
    struct sg_tlv version, identifier, encrypted;
    struct sg_bytes oid, params;
    struct sg_smime_cek cek = {.transport = SG_SMIME_RSA_PKCS1};
    if (!sg_ber_expect(&in, SG_BER_INTEGER, &version) || !sg_ber_next(&in, &identifier) ||
        !sg_smime_algorithm_read(&in, &oid, &params) || !sg_ber_next(&in, &encrypted))
        return unreadable(err);
    bool ours = sg_bytes_equal(oid, sg_oid_rsa_encryption) ||
                (sg_bytes_equal(oid, sg_oid_rsaes_oaep) && oaep_read(params, &cek));
    keys_try(search, &identifier, ours ? &cek : NULL, false, &encrypted);
    return true;
}

/* KeyAgreeRecipientInfo: one agreement, and a key for each of its recipients. */
static bool agreement_try(const struct sg_tlv *info, struct search *search, struct sg_error *err)
{
    struct sg_smime_agreement a;
    struct sg_tlv identifier, encrypted;
    bool ok = sg_smime_agreement_read(info, &a);
    struct sg_ber keys = sg_ber_of(a.keys);
    struct sg_smime_cek cek = {.transport = SG_SMIME_ECDH,
                               .digest = a.digest,
                               .wrap = a.wrap,
                               .point = a.point,
                               .info = sg_buf_bytes(&a.info)};
    bool ours = a.digest && a.wrap && a.point.len;
    while (ok && !search->opened && sg_ber_more(&keys)) {
        ok = sg_smime_agreement_next(&keys, &identifier, &encrypted);
        if (ok)
            keys_try(search, &identifier, ours ? &cek : NULL, true, &encrypted);
    }
    sg_smime_agreement_free(&a);
    return ok || unreadable(err);
}

static bool recipient_try(const struct sg_tlv *info, struct search *search, struct sg_error *err)
{
    if (info->tag == SG_BER_SEQUENCE)
        return transport_try(info, search, err);
    if (info->tag == SG_BER_EXPLICIT(1))
        return agreement_try(info, search, err);
    return true; /* a password, a shared key …: to no certificate of ours */
}

/* REQ-38: any of our certificates opens it; a key that is away does not hide another one. With
 * key_bytes 0 only looks whether it is for us at all. */
static bool cek_find(struct sg_bytes recipient_infos, const struct sg_smime_options *options,
                     size_t key_bytes, struct sg_secret *cek_r, struct sg_smime_layer *layer,
                     struct sg_error *err)
{
    struct sg_ber in = sg_ber_of(recipient_infos);
    struct sg_tlv set, info;
    struct search search = {
        .options = options, .key_bytes = key_bytes, .layer = layer, .cek = cek_r};
    if (!sg_ber_expect(&in, SG_BER_SET, &set))
        return unreadable(err);
    in = sg_ber_of(set.content);
    while (!search.opened && sg_ber_more(&in)) {
        if (!sg_ber_next(&in, &info))
            return unreadable(err);
        if (!recipient_try(&info, &search, err))
            return false;
    }
    if (search.opened)
        return true;
    if (!search.named)
        return sg_fail(err, SG_E_CMS_NOT_FOR_US, "encrypted to none of our certificates");
    if (key_bytes == 0)
        return true;
    if (!search.supported)
        return sg_fail(err, SG_E_CMS_UNSUPPORTED,
                       "the key came to our certificate in a way that we do not do");
    *err = search.trouble;
    return false;
}

/* ContentEncryptionAlgorithmIdentifier. */
struct content_cipher {
    const struct sg_cipher_algorithm *algorithm;
    uint8_t iv[EVP_MAX_IV_LENGTH];
    size_t iv_len;
    int64_t tag_len; /* of an AEAD */
};

/* GCMParameters (RFC 5084 §3.2): the nonce, and how long a tag the sender made (or a longer one:
 * some leave the size out and mean 16). */
static bool gcm_read(const struct sg_tlv *params, struct sg_tlv *nonce, int64_t *tag_len_r)
{
    struct sg_ber in = sg_ber_of(params->content);
    struct sg_tlv size;
    *tag_len_r = 12; /* the default */
    if (params->tag != SG_BER_SEQUENCE || !sg_ber_next(&in, nonce))
        return false;
    if (!sg_ber_more(&in))
        return true;
    if (!sg_ber_expect(&in, SG_BER_INTEGER, &size) || size.content.len != 1)
        return false;
    *tag_len_r = size.content.data[0];
    return *tag_len_r >= 12 && *tag_len_r <= 16;
}

static bool cipher_read(struct sg_bytes element, bool authenticated, struct content_cipher *c,
                        struct sg_error *err)
{
    struct sg_ber in = sg_ber_of(element);
    struct sg_tlv sequence, oid, params, iv;
    char name[80];
    if (!sg_ber_expect(&in, SG_BER_SEQUENCE, &sequence))
        return sg_fail(err, SG_E_CMS, "the cipher is unreadable");
    in = sg_ber_of(sequence.content);
    if (!sg_ber_expect(&in, SG_BER_OID, &oid))
        return sg_fail(err, SG_E_CMS, "the cipher is unreadable");
    c->algorithm = sg_cipher_find(oid.content);
    if (!c->algorithm || c->algorithm->gcm != authenticated) {
        sg_oid_text(oid.content, name, sizeof name);
        return sg_fail(err, SG_E_CMS_UNSUPPORTED, "cipher %s", name);
    }
    if (!sg_ber_next(&in, &params))
        return sg_fail(err, SG_E_CMS, "the cipher has no parameters");
    iv = params;
    if (authenticated && !gcm_read(&params, &iv, &c->tag_len))
        return sg_fail(err, SG_E_CMS, "the cipher's parameters are unreadable");
    size_t expected = (size_t)EVP_CIPHER_get_iv_length(c->algorithm->cipher());
    if (iv.tag != SG_BER_OCTETS || iv.content.len != expected)
        return sg_fail(err, authenticated ? SG_E_CMS_UNSUPPORTED : SG_E_CMS,
                       "the cipher's parameters have another size");
    memcpy(c->iv, iv.content.data, expected);
    c->iv_len = expected;
    return true;
}

struct opening {
    EVP_CIPHER_CTX *cipher;
    const struct sg_sink *plain;
    uint8_t out[PIECE + EVP_MAX_BLOCK_LENGTH];
};

static bool open_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct opening *o = ctx;
    const uint8_t *p = data;
    while (len) {
        int n = len < PIECE ? (int)len : PIECE, got = 0;
        if (!EVP_DecryptUpdate(o->cipher, o->out, &got, p, n))
            return sg_smime_fail_decrypt(err);
        if (got && !sg_sink_write(o->plain, o->out, (size_t)got, err))
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* What stands behind the encrypted content; the tag of an AuthEnvelopedData is there. */
static bool tail_read(struct sg_ber_stream *ber, bool authenticated, struct sg_buf *mac,
                      struct sg_error *err)
{
    int tag;
    if (!sg_ber_stream_leave(ber, err) || !sg_ber_stream_peek(ber, &tag, err))
        return false;
    if (authenticated) {
        if (tag == SG_BER_EXPLICIT(1)) /* they would have to be known before the content */
            return sg_fail(err, SG_E_CMS_UNSUPPORTED, "authenticated attributes");
        if (!sg_ber_stream_take(ber, SG_BER_OCTETS, mac, err) ||
            !sg_ber_stream_peek(ber, &tag, err))
            return false;
    }
    if (tag == SG_BER_EXPLICIT(authenticated ? 2 : 1) && !sg_ber_stream_take(ber, tag, NULL, err))
        return false;
    return sg_ber_stream_leave(ber, err);
}

static bool finish(struct opening *o, bool authenticated, const struct content_cipher *cipher,
                   const struct sg_buf *mac, struct sg_error *err)
{
    int last = 0;
    if (authenticated) { /* a tag that was cut off is as good as none */
        struct sg_ber in = sg_ber_of(sg_buf_bytes(mac));
        struct sg_tlv tag;
        if (!sg_ber_expect(&in, SG_BER_OCTETS, &tag) || tag.content.len < (size_t)cipher->tag_len ||
            tag.content.len > 16 ||
            !EVP_CIPHER_CTX_ctrl(o->cipher, EVP_CTRL_AEAD_SET_TAG, (int)tag.content.len,
                                 (void *)tag.content.data))
            return sg_smime_fail_decrypt(err);
    }
    if (EVP_DecryptFinal_ex(o->cipher, o->out, &last) <= 0)
        return sg_smime_fail_decrypt(err);
    return last == 0 || sg_sink_write(o->plain, o->out, (size_t)last, err);
}

static bool content_open(struct sg_ber_stream *ber, bool authenticated,
                         const struct content_cipher *cipher, const struct sg_secret *cek,
                         const struct sg_sink *plain, struct sg_error *err)
{
    SG_AUTO_BUF mac;
    sg_buf_init(&mac, 0);
    struct opening *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    o->plain = plain;
    o->cipher = EVP_CIPHER_CTX_new();
    const struct sg_sink sink = {open_write, o};
    bool ok = (o->cipher && EVP_DecryptInit_ex(o->cipher, cipher->algorithm->cipher(), NULL,
                                               cek->data, cipher->iv)) ||
              sg_fail_openssl(err, SG_E_CRYPTO, "cipher");
    ok = ok && sg_ber_stream_octets(ber, SG_BER_CONTEXT | 0, &sink, err) &&
         tail_read(ber, authenticated, &mac, err) && finish(o, authenticated, cipher, &mac, err);
    EVP_CIPHER_CTX_free(o->cipher);
    OPENSSL_cleanse(o->out, sizeof o->out);
    free(o);
    return ok;
}

bool sg_smime_enveloped_open(struct sg_ber_stream *ber, bool authenticated,
                             const struct sg_smime_options *options, const struct sg_sink *plain,
                             struct sg_smime_layer *layer, struct sg_error *err)
{
    SG_AUTO_BUF recipients;
    sg_buf_init(&recipients, 0);
    SG_AUTO_BUF algorithm;
    sg_buf_init(&algorithm, 0);
    SG_AUTO_SECRET cek = {0};
    struct content_cipher cipher;
    int tag;
    if (!sg_ber_stream_enter(ber, SG_BER_SEQUENCE, err) ||
        !sg_ber_stream_take(ber, SG_BER_INTEGER, NULL, err) || !sg_ber_stream_peek(ber, &tag, err))
        return false;
    if (tag == SG_BER_EXPLICIT(0) && !sg_ber_stream_take(ber, tag, NULL, err)) /* originator */
        return false;
    if (!sg_ber_stream_take(ber, SG_BER_SET, &recipients, err) ||
        !sg_ber_stream_enter(ber, SG_BER_SEQUENCE, err) ||
        !sg_ber_stream_take(ber, SG_BER_OID, NULL, err) ||
        !sg_ber_stream_take(ber, SG_BER_SEQUENCE, &algorithm, err))
        return false;
    struct sg_error unfit;
    struct sg_bytes infos = sg_buf_bytes(&recipients);
    if (!cipher_read(sg_buf_bytes(&algorithm), authenticated, &cipher, &unfit)) {
        /* A cipher that we do not do is no concern of ours in mail to somebody else. */
        if (cek_find(infos, options, 0, &cek, layer, err))
            *err = unfit;
        return false;
    }
    layer->cipher = cipher.algorithm->name;
    layer->authenticated = authenticated;
    return cek_find(infos, options, cipher.algorithm->key_bytes, &cek, layer, err) &&
           content_open(ber, authenticated, &cipher, &cek, plain, err);
}
