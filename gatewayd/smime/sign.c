#include "smime/smime.h"

#include "smime/algorithm.h"
#include "smime/ber.h"
#include "smime/der.h"
#include "smime/smime_internal.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

/*
 * SignedData (RFC 5652 §5) is written by hand: OpenSSL's CMS wants a private key that it can call,
 * and leaves its attributes unsorted when they are signed elsewhere.
 */

static bool sink_digest(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return EVP_DigestUpdate(ctx, data, len) || sg_fail_openssl(err, SG_E_CRYPTO, "digest");
}

/* How a certificate's key signs. RFC 5754 §3 */
struct scheme {
    const char *name, *digest;
    const EVP_MD *md;
    struct sg_bytes digest_oid, signature_oid, signature_params;
};

static bool scheme_choose(X509 *certificate, struct scheme *scheme_r, struct sg_error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    const struct sg_curve *curve = sg_curve_of(key);
    if (curve)
        *scheme_r = (struct scheme){.name = "ecdsa",
                                    .digest = curve->digest,
                                    .md = curve->md(),
                                    .digest_oid = curve->digest_oid,
                                    .signature_oid = curve->signature_oid};
    else
        *scheme_r = (struct scheme){.name = "rsa-pkcs1",
                                    .digest = "sha256",
                                    .md = EVP_sha256(),
                                    .digest_oid = sg_oid_sha256,
                                    .signature_oid = sg_oid_rsa_encryption,
                                    .signature_params = sg_der_null};
    return curve || (key && EVP_PKEY_is_a(key, "RSA")) ||
           sg_fail_openssl(err, SG_E_CERT, "the certificate's key is none that we sign with");
}

const char *sg_smime_signature_name(X509 *certificate)
{
    const struct sg_curve *curve = sg_curve_of(X509_get0_pubkey(certificate));
    return curve ? curve->ecdsa : "rsa sha256";
}

static bool entity_digest(const struct sg_smime_entity *entity, const EVP_MD *md, uint8_t *hash_r,
                          struct sg_error *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const struct sg_sink sink = {sink_digest, ctx};
    bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL);
    if (!ok)
        sg_fail_openssl(err, SG_E_CRYPTO, "digest");
    ok = ok && sg_sink_write(&sink, entity->headers.data, entity->headers.len, err) &&
         sg_sink_write(&sink, "\r\n", 2, err) &&
         sg_spool_copy(entity->body, entity->offset, entity->len, &sink, err);
    if (ok && !EVP_DigestFinal_ex(ctx, hash_r, NULL))
        ok = sg_fail_openssl(err, SG_E_CRYPTO, "digest");
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* Attribute ::= SEQUENCE { type, SET { value } } */
static void attribute(struct sg_buf *out, struct sg_bytes type, int tag, struct sg_bytes value)
{
    sg_der_tlv(out, SG_BER_OID, type);
    size_t values = out->len;
    sg_der_tlv(out, tag, value);
    sg_der_wrap(out, values, SG_BER_SET);
    sg_der_wrap(out, 0, SG_BER_SEQUENCE);
}

/* RFC 5652 §11.3: UTCTime up to 2049, which is what ASN1_TIME_set() chooses. */
static bool attribute_time(struct sg_buf *out, sg_time now, struct sg_error *err)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, sg_time_seconds(now));
    if (!t)
        return sg_fail_openssl(err, SG_E_CRYPTO, "signing time");
    attribute(out, sg_oid_signing_time, ASN1_STRING_type(t),
              sg_bytes_of(ASN1_STRING_get0_data(t), (size_t)ASN1_STRING_length(t)));
    ASN1_TIME_free(t);
    return true;
}

/* What we can open, in the order in which we like to get it (RFC 8551 §2.5.2); triple DES is
 * opened, and not asked for. REQ-71 */
static void attribute_capabilities(struct sg_buf *out, X509 *certificate)
{
    const struct sg_bytes *ciphers[] = {&sg_oid_aes256_gcm, &sg_oid_aes256_cbc, &sg_oid_aes128_gcm,
                                        &sg_oid_aes192_cbc, &sg_oid_aes128_cbc};
    SG_AUTO_BUF list;
    sg_buf_init(&list, 0);
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
        sg_der_algorithm(&list, *ciphers[i], sg_bytes_of("", 0));
    if (EVP_PKEY_is_a(X509_get0_pubkey(certificate), "RSA"))
        sg_smime_oaep_add(&list);
    attribute(out, sg_oid_smime_capabilities, SG_BER_SEQUENCE, sg_buf_bytes(&list));
}

/* The signed attributes as the SET that is hashed. */
static bool attributes(struct sg_buf *out, X509 *certificate, struct sg_bytes content_hash,
                       sg_time now, struct sg_error *err)
{
    struct sg_buf each[4];
    struct sg_bytes views[4];
    for (size_t i = 0; i < 4; i++)
        sg_buf_init(&each[i], 0);
    attribute(&each[0], sg_oid_content_type, SG_BER_OID, sg_oid_data);
    attribute(&each[1], sg_oid_message_digest, SG_BER_OCTETS, content_hash);
    bool ok = attribute_time(&each[2], now, err);
    attribute_capabilities(&each[3], certificate);
    for (size_t i = 0; i < 4; i++)
        views[i] = sg_buf_bytes(&each[i]);
    sg_der_set_of(out, SG_BER_SET, views, 4);
    for (size_t i = 0; i < 4; i++)
        sg_buf_free(&each[i]);
    return ok;
}

/* The caller's key must be the certificate's: a signature that does not fit never leaves. */
static bool signature_fits(X509 *certificate, const struct scheme *scheme, struct sg_bytes hash,
                           struct sg_bytes sig, struct sg_error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok =
        ctx && EVP_PKEY_verify_init(ctx) > 0 &&
        (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0) &&
        EVP_PKEY_CTX_set_signature_md(ctx, scheme->md) > 0 &&
        EVP_PKEY_verify(ctx, sig.data, sig.len, hash.data, hash.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok || sg_fail_openssl(err, SG_E_HSM_KEY, "the signature does not fit the certificate");
}

static bool certificate_add(struct sg_buf *out, X509 *certificate, struct sg_error *err)
{
    unsigned char *der = NULL;
    int n = i2d_X509(certificate, &der);
    if (n <= 0)
        return sg_fail_openssl(err, SG_E_CRYPTO, "certificate");
    sg_buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    return true;
}

bool sg_smime_issuer_and_serial(struct sg_buf *out, const X509 *certificate, struct sg_error *err)
{
    const unsigned char *issuer;
    size_t issuer_len, start = out->len;
    unsigned char *serial = NULL;
    int serial_len = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &serial);
    if (serial_len <= 0 ||
        !X509_NAME_get0_der(X509_get_issuer_name(certificate), &issuer, &issuer_len)) {
        OPENSSL_free(serial);
        return sg_fail_openssl(err, SG_E_CRYPTO, "certificate");
    }
    sg_buf_add(out, issuer, issuer_len);
    sg_buf_add(out, serial, (size_t)serial_len);
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
    OPENSSL_free(serial);
    return true;
}

static bool signer_info(struct sg_buf *out, const struct sg_smime_signer *signer,
                        const struct scheme *scheme, struct sg_bytes content_hash, sg_time now,
                        struct sg_error *err)
{
    SG_AUTO_BUF attrs;
    sg_buf_init(&attrs, 0);
    SG_AUTO_BUF sig;
    sg_buf_init(&sig, 2048);
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (!attributes(&attrs, signer->certificate, content_hash, now, err))
        return false;
    if (!EVP_Digest(attrs.data, attrs.len, hash, NULL, scheme->md, NULL))
        return sg_fail_openssl(err, SG_E_CRYPTO, "digest");
    const struct sg_smime_to_sign what = {.scheme = scheme->name,
                                          .digest = scheme->digest,
                                          .hash = sg_bytes_of(hash, content_hash.len)};
    if (!signer->sign(signer->ctx, &what, &sig, err) ||
        !signature_fits(signer->certificate, scheme, what.hash, sg_buf_bytes(&sig), err))
        return false;

    size_t start = out->len;
    sg_der_tlv(out, SG_BER_INTEGER, sg_bytes_of("\x01", 1));
    if (!sg_smime_issuer_and_serial(out, signer->certificate, err))
        return false;
    sg_der_algorithm(out, scheme->digest_oid, sg_bytes_of("", 0)); /* RFC 5754 §2: no parameters */
    attrs.data[0] = SG_BER_EXPLICIT(0); /* hashed as a SET, sent as [0] IMPLICIT */
    sg_buf_add(out, attrs.data, attrs.len);
    sg_der_algorithm(out, scheme->signature_oid, scheme->signature_params);
    sg_der_tlv(out, SG_BER_OCTETS, sg_buf_bytes(&sig));
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
    return true;
}

bool sg_smime_sign(const struct sg_smime_entity *entity, const struct sg_smime_signer *signer,
                   sg_time now, struct sg_buf *signature_r, struct sg_error *err)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    struct scheme scheme;
    ERR_clear_error();
    if (!scheme_choose(signer->certificate, &scheme, err) ||
        !entity_digest(entity, scheme.md, hash, err))
        return false;
    struct sg_bytes content_hash = sg_bytes_of(hash, (size_t)EVP_MD_get_size(scheme.md));

    SG_AUTO_BUF cms;
    sg_buf_init(&cms, 0);
    sg_der_tlv(&cms, SG_BER_INTEGER, sg_bytes_of("\x01", 1));
    size_t part = cms.len;
    sg_der_algorithm(&cms, scheme.digest_oid, sg_bytes_of("", 0));
    sg_der_wrap(&cms, part, SG_BER_SET);
    part = cms.len;
    sg_der_tlv(&cms, SG_BER_OID, sg_oid_data); /* without content: it is detached */
    sg_der_wrap(&cms, part, SG_BER_SEQUENCE);

    part = cms.len; /* REQ-70 */
    if (!certificate_add(&cms, signer->certificate, err))
        return false;
    for (int i = 0; signer->chain && i < sk_X509_num(signer->chain); i++)
        if (!certificate_add(&cms, sk_X509_value(signer->chain, i), err))
            return false;
    sg_der_wrap(&cms, part, SG_BER_EXPLICIT(0));

    part = cms.len;
    if (!signer_info(&cms, signer, &scheme, content_hash, now, err))
        return false;
    sg_der_wrap(&cms, part, SG_BER_SET);
    sg_der_wrap(&cms, 0, SG_BER_SEQUENCE);
    sg_der_wrap(&cms, 0, SG_BER_EXPLICIT(0));
    size_t start = signature_r->len;
    sg_der_tlv(signature_r, SG_BER_OID, sg_oid_signed_data);
    sg_buf_add(signature_r, cms.data, cms.len);
    sg_der_wrap(signature_r, start, SG_BER_SEQUENCE);
    return !signature_r->overflown || sg_fail(err, SG_E_LIMIT, "the signature is too large");
}
