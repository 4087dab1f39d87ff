#include "smime/smime_internal.h"

#include "smime/der.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

/* One SignerInfo (RFC 5652 §5.3) and its signature. */

struct signer {
    struct sg_tlv identifier;
    struct sg_bytes digest_oid;
    struct sg_tlv attributes; /* tag 0: none */
    struct sg_bytes signature_oid;
    struct sg_bytes signature_params; /* the element, or empty */
    struct sg_tlv signature;
};

bool sg_smime_algorithm_read(struct sg_ber *in, struct sg_bytes *oid_r, struct sg_bytes *params_r)
{
    struct sg_tlv sequence, part;
    if (!sg_ber_expect(in, SG_BER_SEQUENCE, &sequence))
        return false;
    struct sg_ber parts = sg_ber_of(sequence.content);
    if (!sg_ber_expect(&parts, SG_BER_OID, &part))
        return false;
    *oid_r = part.content;
    *params_r = (struct sg_bytes){0};
    if (sg_ber_more(&parts)) {
        if (!sg_ber_next(&parts, &part))
            return false;
        *params_r = part.whole;
    }
    return true;
}

static bool signer_read(const struct sg_tlv *signer_info, struct signer *s)
{
    struct sg_ber in = sg_ber_of(signer_info->content);
    struct sg_tlv version;
    struct sg_bytes digest_params;
    memset(s, 0, sizeof *s);
    if (signer_info->tag != SG_BER_SEQUENCE || !sg_ber_expect(&in, SG_BER_INTEGER, &version) ||
        !sg_ber_next(&in, &s->identifier) ||
        !sg_smime_algorithm_read(&in, &s->digest_oid, &digest_params))
        return false;
    if (sg_ber_peek(&in) == SG_BER_EXPLICIT(0) && !sg_ber_next(&in, &s->attributes))
        return false;
    return sg_smime_algorithm_read(&in, &s->signature_oid, &s->signature_params) &&
           sg_ber_next(&in, &s->signature);
}

const struct sg_digest_algorithm *sg_smime_signer_digest(const struct sg_tlv *signer_info)
{
    struct signer s;
    return signer_read(signer_info, &s) ? sg_digest_find(s.digest_oid) : NULL;
}

/* As most are: positive, in as few octets as can be. false: not decided. */
static bool serial_same(struct sg_bytes content, const X509 *certificate)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    if (content.len == 0 || content.data[0] >= 0x80 || ASN1_STRING_type(serial) != V_ASN1_INTEGER)
        return false;
    if (content.len > 1 && content.data[0] == 0)
        content = sg_bytes_slice(content, 1, content.len);
    return sg_bytes_equal(
        content, sg_bytes_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)));
}

/* Octet for octet, which saves decoding the name. false: not decided. */
static bool issuer_same(struct sg_bytes whole, const X509 *certificate)
{
    const unsigned char *der;
    size_t len;
    return X509_NAME_get0_der(X509_get_issuer_name(certificate), &der, &len) &&
           sg_bytes_equal(whole, sg_bytes_of(der, len));
}

static bool serial_equal(struct sg_bytes whole, const X509 *certificate)
{
    const unsigned char *p = whole.data;
    ASN1_INTEGER *serial = d2i_ASN1_INTEGER(NULL, &p, (long)whole.len);
    bool equal = serial && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0;
    ASN1_INTEGER_free(serial);
    return equal;
}

bool sg_smime_names(const struct sg_tlv *identifier, const X509 *certificate)
{
    if (identifier->tag == (SG_BER_CONTEXT | 0)) {
        const ASN1_OCTET_STRING *id = X509_get0_subject_key_id((X509 *)certificate);
        return id &&
               sg_bytes_equal(identifier->content, sg_bytes_of(ASN1_STRING_get0_data(id),
                                                               (size_t)ASN1_STRING_length(id)));
    }
    struct sg_ber in = sg_ber_of(identifier->content);
    struct sg_tlv issuer, serial;
    if (identifier->tag != SG_BER_SEQUENCE || !sg_ber_expect(&in, SG_BER_SEQUENCE, &issuer) ||
        !sg_ber_expect(&in, SG_BER_INTEGER, &serial))
        return false;
    /* The serial first: it is cheap, and there may be thousands of recipients. */
    bool equal =
        serial_same(serial.content, certificate) || serial_equal(serial.whole, certificate);
    if (equal && !issuer_same(issuer.whole, certificate)) {
        const unsigned char *p = issuer.whole.data;
        X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)issuer.whole.len);
        equal = name && X509_NAME_cmp(name, X509_get_issuer_name(certificate)) == 0;
        X509_NAME_free(name);
    }
    ERR_clear_error();
    return equal;
}

/* What of the signed attributes counts; each at most once, with one value (RFC 5652 §11). All
 * others, those of RFC 2634 among them, are left alone. */
struct attributes {
    struct sg_tlv content_type, message_digest, signing_time;
    struct sg_tlv capabilities;
    bool capabilities_doubled; /* they say nothing then, but the signature is no worse */
};

static bool attribute_keep(struct sg_tlv *slot, struct sg_bytes values)
{
    struct sg_ber in = sg_ber_of(values);
    return slot->tag == 0 && sg_ber_next(&in, slot) && !sg_ber_more(&in);
}

static bool attributes_read(struct sg_bytes set, struct attributes *a)
{
    struct sg_ber in = sg_ber_of(set);
    struct sg_tlv attribute, type, values;
    memset(a, 0, sizeof *a);
    while (sg_ber_more(&in)) {
        if (!sg_ber_expect(&in, SG_BER_SEQUENCE, &attribute))
            return false;
        struct sg_ber parts = sg_ber_of(attribute.content);
        if (!sg_ber_expect(&parts, SG_BER_OID, &type) ||
            !sg_ber_expect(&parts, SG_BER_SET, &values))
            return false;
        struct sg_tlv *slot = sg_bytes_equal(type.content, sg_oid_content_type) ? &a->content_type
                              : sg_bytes_equal(type.content, sg_oid_message_digest)
                                  ? &a->message_digest
                              : sg_bytes_equal(type.content, sg_oid_signing_time) ? &a->signing_time
                                                                                  : NULL;
        if (slot && !attribute_keep(slot, values.content))
            return false;
        if (sg_bytes_equal(type.content, sg_oid_smime_capabilities))
            a->capabilities_doubled |= !attribute_keep(&a->capabilities, values.content);
    }
    return a->content_type.tag == SG_BER_OID && a->message_digest.tag != 0;
}

static sg_time signing_time(const struct sg_tlv *tlv)
{
    const unsigned char *p = tlv->whole.data;
    struct tm tm;
    ASN1_TIME *t = tlv->tag ? d2i_ASN1_TIME(NULL, &p, (long)tlv->whole.len) : NULL;
    sg_time at = t && ASN1_TIME_to_tm(t, &tm) ? (sg_time)timegm(&tm) * SG_SECOND : 0;
    ASN1_TIME_free(t);
    ERR_clear_error();
    return at;
}

/* One of our digests; NULL for any other. */
static const EVP_MD *digest_of(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *oid;
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    const struct sg_digest_algorithm *digest =
        sg_digest_find(sg_bytes_of(OBJ_get0_data(oid), OBJ_length(oid)));
    return digest ? digest->md() : NULL;
}

/* RSASSA-PSS parameters (RFC 4056): the digest must be the message's. */
static bool pss_set(EVP_PKEY_CTX *ctx, struct sg_bytes params, const EVP_MD *md)
{
    const unsigned char *p = params.data;
    RSA_PSS_PARAMS *pss = params.len ? d2i_RSA_PSS_PARAMS(NULL, &p, (long)params.len) : NULL;
    if (!pss)
        return false;
    const EVP_MD *hash = EVP_sha1(), *mask = EVP_sha1();
    int64_t salt = 20, trailer = 1;
    const ASN1_OBJECT *oid;
    const void *value;
    int type;
    bool ok = true;
    if (pss->hashAlgorithm)
        hash = digest_of(pss->hashAlgorithm);
    if (pss->maskGenAlgorithm) {
        X509_ALGOR_get0(&oid, &type, &value, pss->maskGenAlgorithm);
        ok = OBJ_obj2nid(oid) == NID_mgf1 && type == V_ASN1_SEQUENCE;
        const unsigned char *q = ok ? ASN1_STRING_get0_data(value) : NULL;
        X509_ALGOR *inner = ok ? d2i_X509_ALGOR(NULL, &q, ASN1_STRING_length(value)) : NULL;
        mask = inner ? digest_of(inner) : NULL;
        X509_ALGOR_free(inner);
    }
    ok = ok && (!pss->saltLength || ASN1_INTEGER_get_int64(&salt, pss->saltLength)) &&
         (!pss->trailerField || ASN1_INTEGER_get_int64(&trailer, pss->trailerField));
    RSA_PSS_PARAMS_free(pss);
    return ok && hash && mask && EVP_MD_get_type(hash) == EVP_MD_get_type(md) && salt >= 0 &&
           salt <= 1024 && trailer == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mask) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)salt) > 0;
}

static void verdict(struct sg_smime_signer_info *info, enum sg_smime_result result,
                    const char *detail)
{
    info->result = result;
    info->detail = detail;
}

/* A longer one makes verifying as dear as signing: 30 ms for an RSA key of 3072 bits, and a mail
 * may carry dozens of them. OpenSSL has the same bound for larger keys alone. */
static bool exponent_fits(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool fits = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) &&
                BN_num_bits(e) <= SG_SMIME_EXPONENT_BITS_MAX;
    BN_free(e);
    return fits;
}

/* Whether a key can have made a signature of that name at all, and is one that we take. */
static bool key_fits(EVP_PKEY *key, const char *signature)
{
    if (strcmp(signature, "ecdsa") == 0)
        return sg_curve_of(key) != NULL;
    bool pss = strcmp(signature, "rsassaPss") == 0;
    bool rsa = key && (EVP_PKEY_is_a(key, "RSA") || (pss && EVP_PKEY_is_a(key, "RSA-PSS")));
    int bits = rsa ? EVP_PKEY_get_bits(key) : 0;
    return bits >= SG_SMIME_RSA_BITS_MIN && bits <= SG_SMIME_RSA_BITS_MAX && exponent_fits(key);
}

static bool verify_set(EVP_PKEY_CTX *ctx, const struct signer *s, const char *signature,
                       const EVP_MD *md)
{
    if (strcmp(signature, "rsassaPss") == 0)
        return pss_set(ctx, s->signature_params, md);
    if (strcmp(signature, "rsaEncryption") == 0 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0)
        return false;
    return EVP_PKEY_CTX_set_signature_md(ctx, md) > 0;
}

static void signature_check(const struct signer *s, const EVP_MD *md, struct sg_bytes hash,
                            struct sg_smime_signer_info *info)
{
    SG_AUTO_BUF sig;
    sg_buf_init(&sig, SG_SMIME_RSA_BITS_MAX / 8);
    EVP_PKEY *key = X509_get0_pubkey(info->certificate);
    if (!key_fits(key, info->signature)) {
        verdict(info, SG_SMIME_UNSUPPORTED,
                "the signer's key is no RSA key of a usable size and no key on P-256 or P-384, or "
                "of another kind than the signature");
        return;
    }
    if (!sg_ber_octets(&s->signature, SG_BER_OCTETS, &sig)) {
        verdict(info, SG_SMIME_MALFORMED, "the signature is unreadable");
        return;
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    if (!ctx || EVP_PKEY_verify_init(ctx) <= 0 || !verify_set(ctx, s, info->signature, md))
        verdict(info, SG_SMIME_UNSUPPORTED, "signature parameters that we do not do");
    else if (EVP_PKEY_verify(ctx, sig.data, sig.len, hash.data, hash.len) == 1)
        verdict(info, SG_SMIME_OK, "the signature is good");
    else
        verdict(info, SG_SMIME_ALTERED, "the signature does not fit the signer's certificate");
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
}

/* The hash that was signed: of the attributes, after they were held against the content. */
static bool attributes_check(const struct signer *s, struct sg_bytes content_type,
                             const struct sg_smime_hash *content, bool canonical,
                             struct attributes *a, uint8_t *hash_r,
                             struct sg_smime_signer_info *info)
{
    SG_AUTO_BUF der;
    sg_buf_init(&der, 0);
    SG_AUTO_BUF digest;
    sg_buf_init(&digest, EVP_MAX_MD_SIZE);
    const uint8_t *expected = canonical ? content->canonical : content->raw;
    if (!attributes_read(s->attributes.content, a) ||
        !sg_ber_octets(&a->message_digest, SG_BER_OCTETS, &digest) ||
        !sg_ber_to_der(&s->attributes, SG_BER_SET, &der)) {
        verdict(info, SG_SMIME_MALFORMED, "the signed attributes are unreadable or incomplete");
        return false;
    }
    info->signing_time = signing_time(&a->signing_time);
    if (!sg_bytes_equal(a->content_type.content, content_type)) {
        verdict(info, SG_SMIME_ALTERED, "the signed content type is another one");
        return false;
    }
    if (!sg_bytes_equal(sg_buf_bytes(&digest), sg_bytes_of(expected, content->len))) {
        verdict(info, SG_SMIME_ALTERED, "the content is not what was signed");
        return false;
    }
    if (!EVP_Digest(der.data, der.len, hash_r, NULL, content->algorithm->md(), NULL)) {
        verdict(info, SG_SMIME_UNSUPPORTED, "the digest failed");
        return false;
    }
    return true;
}

/* REQ-84: what the signer says that it can do, in DER. */
static void capabilities_take(struct sg_arena *arena, const struct attributes *a,
                              struct sg_smime_signer_info *info)
{
    SG_AUTO_BUF der;
    sg_buf_init(&der, 0);
    if (a->capabilities.tag == SG_BER_SEQUENCE && !a->capabilities_doubled &&
        sg_ber_to_der(&a->capabilities, SG_BER_SEQUENCE, &der))
        info->capabilities = sg_arena_copy(arena, sg_buf_bytes(&der));
}

/* The next certificate that the identifier names, from *at on. */
static X509 *certificate_next(const struct sg_tlv *identifier, STACK_OF(X509) *certificates,
                              int *at)
{
    while (*at < sk_X509_num(certificates)) {
        X509 *x = sk_X509_value(certificates, (*at)++);
        if (sg_smime_names(identifier, x))
            return x;
    }
    return NULL;
}

void sg_smime_signer_check(struct sg_arena *arena, const struct sg_tlv *signer_info,
                           struct sg_bytes content_type, const struct sg_smime_hash *hashes,
                           size_t hash_count, bool canonical, STACK_OF(X509) *certificates,
                           struct sg_smime_signer_info *info)
{
    struct signer s;
    char name[80];
    memset(info, 0, sizeof *info);
    if (!signer_read(signer_info, &s)) {
        verdict(info, SG_SMIME_MALFORMED, "a signer is unreadable");
        return;
    }
    int at = 0;
    info->certificate = certificate_next(&s.identifier, certificates, &at);
    const struct sg_smime_hash *content = NULL;
    for (size_t i = 0; i < hash_count; i++)
        if (sg_bytes_equal(hashes[i].algorithm->oid, s.digest_oid))
            content = &hashes[i];
    if (!content) {
        sg_oid_text(s.digest_oid, name, sizeof name);
        info->digest = sg_arena_strdup(arena, name);
        verdict(info, SG_SMIME_UNSUPPORTED, sg_arena_printf(arena, "digest %s", name));
        return;
    }
    info->digest = content->algorithm->name;
    const struct sg_signature_algorithm *algorithm = sg_signature_find(s.signature_oid);
    const EVP_MD *md = content->algorithm->md();
    if (!algorithm || (algorithm->md && algorithm->md() != md)) {
        sg_oid_text(s.signature_oid, name, sizeof name);
        info->signature = sg_arena_strdup(arena, name);
        verdict(info, SG_SMIME_UNSUPPORTED, sg_arena_printf(arena, "signature %s", name));
        return;
    }
    info->signature = algorithm->name;

    struct attributes attributes = {0};
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (s.attributes.tag) {
        if (!attributes_check(&s, content_type, content, canonical, &attributes, hash, info))
            return;
    } else if (!sg_bytes_equal(content_type, sg_oid_data)) { /* RFC 5652 §5.3 */
        verdict(info, SG_SMIME_MALFORMED, "signed attributes are missing");
        return;
    } else {
        memcpy(hash, canonical ? content->canonical : content->raw, content->len);
    }
    if (!info->certificate) { /* REQ-82 looks elsewhere */
        verdict(info, SG_SMIME_NO_CERTIFICATE, "the signer's certificate is not in the message");
        return;
    }
    /* REQ-81: whoever made a certificate of the same name and number, which somebody has put beside
     * the signer's, has made no signature the worse. */
    struct sg_bytes signed_hash = sg_bytes_of(hash, content->len);
    signature_check(&s, md, signed_hash, info);
    X509 *other;
    for (int tries = 1; info->result != SG_SMIME_OK && tries < SG_SMIME_MAX_NAMESAKES &&
                        (other = certificate_next(&s.identifier, certificates, &at));
         tries++) {
        struct sg_smime_signer_info by = *info;
        by.certificate = other;
        signature_check(&s, md, signed_hash, &by);
        if (by.result == SG_SMIME_OK)
            *info = by;
    }
    if (info->result == SG_SMIME_OK)
        capabilities_take(arena, &attributes, info);
}
