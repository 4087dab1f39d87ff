#include "smime/der.h"
#include "smime/smime_internal.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

/*
 * KeyAgreeRecipientInfo (RFC 5652 §6.2.2) with ECDH, ephemeral-static (RFC 5753 §3.1):
 *
 *   [1] { version 3, [0] { [1] { algorithm, point } }, [1] { ukm } OPTIONAL,
 *         algorithm { agreement, wrap }, { { recipient, encrypted key } … } }
 */

/* ECC-CMS-SharedInfo (RFC 5753 §7.2): what the KDF is bound to. wrap and ukm are whole elements. */
static void shared_info(struct sg_buf *out, struct sg_bytes wrap, struct sg_bytes ukm,
                        unsigned key_bits)
{
    const uint8_t bits[4] = {0, 0, (uint8_t)(key_bits >> 8), (uint8_t)key_bits};
    size_t start = out->len;
    sg_buf_add(out, wrap.data, wrap.len);
    if (ukm.len) {
        size_t part = out->len;
        sg_buf_add(out, ukm.data, ukm.len);
        sg_der_wrap(out, part, SG_BER_EXPLICIT(0));
    }
    size_t part = out->len;
    sg_der_tlv(out, SG_BER_OCTETS, sg_bytes_of(bits, sizeof bits));
    sg_der_wrap(out, part, SG_BER_EXPLICIT(2));
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
}

/* Writing -------------------------------------------------------------------------------------- */

static bool kek_agree(EVP_PKEY *own, EVP_PKEY *peer, const struct sg_curve *curve,
                      struct sg_bytes info, uint8_t *kek, size_t len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    unsigned char *ukm = OPENSSL_memdup(info.data, info.len);
    bool ok = ctx && ukm && EVP_PKEY_derive_init(ctx) > 0 &&
              EVP_PKEY_CTX_set_ecdh_kdf_type(ctx, EVP_PKEY_ECDH_KDF_X9_63) > 0 &&
              EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, curve->md()) > 0 &&
              EVP_PKEY_CTX_set_ecdh_kdf_outlen(ctx, (int)len) > 0 &&
              EVP_PKEY_CTX_set0_ecdh_kdf_ukm(ctx, ukm, (int)info.len) > 0;
    if (ok)
        ukm = NULL; /* the context's */
    ok = ok && EVP_PKEY_derive_set_peer(ctx, peer) > 0 && EVP_PKEY_derive(ctx, kek, &len) > 0;
    OPENSSL_free(ukm);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool key_wrap(const EVP_CIPHER *cipher, const uint8_t *kek, struct sg_bytes cek,
                     uint8_t *out, size_t *len_r)
{
    int len = 0, last = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx)
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool ok = ctx && EVP_EncryptInit_ex(ctx, cipher, NULL, kek, NULL) &&
              EVP_EncryptUpdate(ctx, out, &len, cek.data, (int)cek.len) > 0 &&
              EVP_EncryptFinal_ex(ctx, out + len, &last) > 0;
    EVP_CIPHER_CTX_free(ctx);
    *len_r = (size_t)(len + last);
    return ok;
}

/* OriginatorIdentifierOrKey with the ephemeral public key. */
static bool originator_add(struct sg_buf *out, EVP_PKEY *ephemeral)
{
    uint8_t bits[1 + 2 * 66 + 1] = {0}; /* no unused ones, then the point */
    size_t len, start = out->len;
    if (!EVP_PKEY_get_octet_string_param(ephemeral, OSSL_PKEY_PARAM_PUB_KEY, bits + 1,
                                         sizeof bits - 1, &len))
        return false;
    sg_der_algorithm(out, sg_oid_ec_public_key, sg_bytes_of("", 0));
    sg_der_tlv(out, SG_BER_BITS, sg_bytes_of(bits, len + 1));
    sg_der_wrap(out, start, SG_BER_EXPLICIT(1));
    sg_der_wrap(out, start, SG_BER_EXPLICIT(0));
    return true;
}

static bool encrypted_key_add(struct sg_buf *out, X509 *certificate, struct sg_bytes wrapped,
                              struct sg_error *err)
{
    size_t start = out->len;
    if (!sg_smime_issuer_and_serial(out, certificate, err))
        return false;
    sg_der_tlv(out, SG_BER_OCTETS, wrapped);
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
    return true;
}

bool sg_smime_agreement_add(struct sg_buf *out, X509 *certificate, const struct sg_curve *curve,
                            struct sg_bytes cek, struct sg_error *err)
{
    const struct sg_wrap_algorithm *wrap = sg_wrap_for(cek.len);
    uint8_t kek[32], wrapped[64];
    size_t wrapped_len = 0, start = out->len;
    SG_AUTO_BUF wrap_id;
    sg_buf_init(&wrap_id, 0);
    sg_der_algorithm(&wrap_id, wrap->oid, sg_bytes_of("", 0));
    SG_AUTO_BUF info;
    sg_buf_init(&info, 0);
    shared_info(&info, sg_buf_bytes(&wrap_id), sg_bytes_of("", 0), wrap->key_bits);
    sg_der_tlv(out, SG_BER_INTEGER, sg_bytes_of("\x03", 1));
    EVP_PKEY *ephemeral = EVP_EC_gen(curve->name);
    bool ok = ephemeral &&
              kek_agree(ephemeral, X509_get0_pubkey(certificate), curve, sg_buf_bytes(&info), kek,
                        wrap->key_bits / 8) &&
              key_wrap(wrap->cipher(), kek, cek, wrapped, &wrapped_len) &&
              originator_add(out, ephemeral);
    EVP_PKEY_free(ephemeral);
    OPENSSL_cleanse(kek, sizeof kek);
    if (!ok)
        return sg_fail_openssl(err, SG_E_CRYPTO, "key agreement with the recipient");
    sg_der_algorithm(out, curve->agreement_oid, sg_buf_bytes(&wrap_id));
    if (!encrypted_key_add(out, certificate, sg_bytes_of(wrapped, wrapped_len), err))
        return false;
    sg_der_wrap(out, start, SG_BER_EXPLICIT(1));
    return true;
}

/* Reading -------------------------------------------------------------------------------------- */

/* The originator's key; empty where it is named and not there (static-static). */
static bool originator_read(struct sg_bytes content, struct sg_bytes *point_r)
{
    struct sg_ber in = sg_ber_of(content);
    struct sg_tlv choice, bits;
    struct sg_bytes oid, params;
    *point_r = sg_bytes_of(NULL, 0);
    if (!sg_ber_next(&in, &choice))
        return false;
    if (choice.tag != SG_BER_EXPLICIT(1))
        return true;
    in = sg_ber_of(choice.content);
    if (!sg_smime_algorithm_read(&in, &oid, &params) || !sg_ber_expect(&in, SG_BER_BITS, &bits) ||
        bits.content.len < 2 || bits.content.data[0] != 0)
        return false;
    if (sg_bytes_equal(oid, sg_oid_ec_public_key))
        *point_r = sg_bytes_slice(bits.content, 1, bits.content.len);
    return true;
}

/* An element again as DER: the KDF is bound to it, and what came may be BER. */
static bool der_of(struct sg_bytes element, struct sg_buf *out)
{
    struct sg_ber in = sg_ber_of(element);
    struct sg_tlv tlv;
    return sg_ber_next(&in, &tlv) && sg_ber_to_der(&tlv, tlv.tag, out);
}

static bool wrap_read(struct sg_bytes params, struct sg_bytes ukm, struct sg_smime_agreement *a)
{
    struct sg_ber in = sg_ber_of(params);
    struct sg_bytes oid, rest;
    SG_AUTO_BUF wrap_id;
    sg_buf_init(&wrap_id, 0);
    SG_AUTO_BUF ukm_der;
    sg_buf_init(&ukm_der, 0);
    if (!sg_smime_algorithm_read(&in, &oid, &rest) || !der_of(params, &wrap_id) ||
        (ukm.len && !der_of(ukm, &ukm_der)))
        return false;
    const struct sg_wrap_algorithm *wrap = sg_wrap_find(oid);
    if (!wrap)
        return true;
    a->wrap = wrap->name;
    shared_info(&a->info, sg_buf_bytes(&wrap_id), sg_buf_bytes(&ukm_der), wrap->key_bits);
    return true;
}

bool sg_smime_agreement_read(const struct sg_tlv *info, struct sg_smime_agreement *a)
{
    struct sg_ber in = sg_ber_of(info->content);
    struct sg_tlv version, originator, ukm = {0}, keys;
    struct sg_bytes oid, params;
    memset(a, 0, sizeof *a);
    sg_buf_init(&a->info, 0);
    if (!sg_ber_expect(&in, SG_BER_INTEGER, &version) ||
        !sg_ber_expect(&in, SG_BER_EXPLICIT(0), &originator) ||
        !originator_read(originator.content, &a->point))
        return false;
    if (sg_ber_peek(&in) == SG_BER_EXPLICIT(1) && !sg_ber_next(&in, &ukm))
        return false;
    if (!sg_smime_algorithm_read(&in, &oid, &params) || !sg_ber_expect(&in, SG_BER_SEQUENCE, &keys))
        return false;
    a->keys = keys.content;
    a->digest = sg_agreement_find(oid);
    return !a->digest || wrap_read(params, ukm.content, a);
}

void sg_smime_agreement_free(struct sg_smime_agreement *a)
{
    sg_buf_free(&a->info);
}

bool sg_smime_agreement_next(struct sg_ber *keys, struct sg_tlv *identifier_r,
                             struct sg_tlv *encrypted_r)
{
    struct sg_tlv key;
    if (!sg_ber_expect(keys, SG_BER_SEQUENCE, &key))
        return false;
    struct sg_ber in = sg_ber_of(key.content);
    if (!sg_ber_next(&in, identifier_r) || !sg_ber_next(&in, encrypted_r))
        return false;
    if (identifier_r->tag != SG_BER_EXPLICIT(0))
        return true;
    /* RecipientKeyIdentifier: the subject key identifier, and perhaps a date and more. */
    in = sg_ber_of(identifier_r->content);
    if (!sg_ber_expect(&in, SG_BER_OCTETS, identifier_r))
        return false;
    identifier_r->tag = SG_BER_CONTEXT | 0;
    return true;
}
