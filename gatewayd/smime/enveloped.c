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

/* KeyTransRecipientInfo (RFC 5652 §6.2.1). */
struct transport {
    struct sg_tlv identifier, encrypted_key;
    struct sg_bytes algorithm;
};

static bool transport_read(const struct sg_tlv *info, struct transport *t)
{
    struct sg_ber in = sg_ber_of(info->content);
    struct sg_tlv version, algorithm, oid;
    if (!sg_ber_expect(&in, SG_BER_INTEGER, &version) || !sg_ber_next(&in, &t->identifier) ||
        !sg_ber_expect(&in, SG_BER_SEQUENCE, &algorithm) || !sg_ber_next(&in, &t->encrypted_key))
        return false;
    in = sg_ber_of(algorithm.content);
    if (!sg_ber_expect(&in, SG_BER_OID, &oid))
        return false;
    t->algorithm = oid.content;
    return true;
}

static bool key_open(const struct transport *t, const struct sg_smime_own_key *own,
                     const struct sg_smime_options *options, size_t key_bytes,
                     struct sg_secret *cek_r, struct sg_error *err)
{
    SG_AUTO_BUF encrypted;
    sg_buf_init(&encrypted, SG_SMIME_RSA_BITS_MAX / 8);
    /* An empty one is no question for the HSM, whose refusal would be taken for its failure. */
    if (!sg_ber_octets(&t->encrypted_key, SG_BER_OCTETS, &encrypted) || encrypted.len == 0)
        return unreadable(err);
    if (!options->decrypt_cek(options->ctx, own->key, sg_buf_bytes(&encrypted), key_bytes, cek_r,
                              err))
        return false;
    return cek_r->len == key_bytes ||
           sg_fail(err, SG_E_INTERNAL, "a content-encryption key of another length");
}

/* What became of the search for a recipient that is us. */
struct search {
    bool opened, named, supported;
    struct sg_error trouble; /* of the last key that could not be used */
};

/* Tries one RecipientInfo with every key of ours that it names: by nothing else is one matched. */
static bool recipient_try(const struct sg_tlv *info, const struct sg_smime_options *options,
                          size_t key_bytes, struct search *search, struct sg_secret *cek_r,
                          struct sg_smime_layer *layer, struct sg_error *err)
{
    struct transport t;
    if (info->tag != SG_BER_SEQUENCE)
        return true; /* key agreement, password …: not to an RSA certificate of ours */
    if (!transport_read(info, &t))
        return unreadable(err);
    for (size_t i = 0; i < options->own_count && !search->opened; i++) {
        if (!sg_smime_names(&t.identifier, options->own[i].certificate))
            continue;
        search->named = layer->for_us = true;
        if (key_bytes == 0 || !sg_bytes_equal(t.algorithm, sg_oid_rsa_encryption))
            continue;
        search->supported = true;
        layer->own_key = i;
        search->opened =
            key_open(&t, &options->own[i], options, key_bytes, cek_r, &search->trouble);
    }
    return true;
}

/* REQ-38: any of our certificates opens it; a key that is away does not hide another one. With
 * key_bytes 0 only looks whether it is for us at all. */
static bool cek_find(struct sg_bytes recipient_infos, const struct sg_smime_options *options,
                     size_t key_bytes, struct sg_secret *cek_r, struct sg_smime_layer *layer,
                     struct sg_error *err)
{
    struct sg_ber in = sg_ber_of(recipient_infos);
    struct sg_tlv set, info;
    struct search search = {0};
    if (!sg_ber_expect(&in, SG_BER_SET, &set))
        return unreadable(err);
    in = sg_ber_of(set.content);
    while (!search.opened && sg_ber_more(&in)) {
        if (!sg_ber_next(&in, &info))
            return unreadable(err);
        if (!recipient_try(&info, options, key_bytes, &search, cek_r, layer, err))
            return false;
    }
    if (search.opened)
        return true;
    if (!search.named)
        return sg_fail(err, SG_E_CMS_NOT_FOR_US, "encrypted to none of our certificates");
    if (key_bytes == 0)
        return true;
    if (!search.supported)
        return sg_fail(err, SG_E_CMS_UNSUPPORTED, "a key transport other than RSA PKCS #1 v1.5");
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
