#include "api/pem.h"

#include "common/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define RSA_BITS_MIN 2048

static void bio_release(BIO **bio)
{
    BIO_free(*bio);
}
static void x509_release(X509 **x)
{
    X509_free(*x);
}
#define AUTO_BIO  __attribute__((cleanup(bio_release))) BIO *
#define AUTO_X509 __attribute__((cleanup(x509_release))) X509 *

/* One block of a PEM text, freed together. */
struct block {
    char *name, *header;
    unsigned char *data;
    long len;
};

static void block_release(struct block *b)
{
    OPENSSL_free(b->name);
    OPENSSL_free(b->header);
    OPENSSL_clear_free(b->data, b->len > 0 ? (size_t)b->len : 0);
}

static sg_time asn1_time(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (sg_time)timegm(&tm) * SG_SECOND : 0;
}

static bool certificate_fill(struct sg_arena *arena, struct sg_bytes der,
                             struct api_certificate *out)
{
    AUTO_X509 x = sg_certificate_read(der);
    AUTO_BIO text = BIO_new(BIO_s_mem());
    char *subject;
    if (!x || !text ||
        X509_NAME_print_ex(text, X509_get_subject_name(x), 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) < 0)
        return false;
    long n = BIO_get_mem_data(text, &subject);
    *out = (struct api_certificate){.der = sg_arena_copy(arena, der),
                                    .subject = sg_arena_str(arena, sg_bytes_of(subject, (size_t)n)),
                                    .not_before = asn1_time(X509_get0_notBefore(x)),
                                    .not_after = asn1_time(X509_get0_notAfter(x))};
    return EVP_Digest(der.data, der.len, out->sha256, NULL, EVP_sha256(), NULL) == 1;
}

static bool block_check(const struct block *b, size_t index, size_t max, struct sg_error *err)
{
    if (strstr(b->name, "PRIVATE KEY"))
        return sg_fail(err, SG_E_INVALID,
                       "has a private key, which must never leave its holder: consider it "
                       "compromised");
    if (strcmp(b->name, PEM_STRING_X509) != 0)
        return sg_fail(err, SG_E_INVALID, "has a block that is no certificate: %.40s", b->name);
    if (index >= max)
        return max == 1 ? sg_fail(err, SG_E_INVALID, "must be one certificate alone")
                        : sg_fail(err, SG_E_INVALID, "has more than %zu certificates", max);
    return true;
}

bool api_pem_read(struct sg_arena *arena, const char *pem, size_t max, struct api_certificates *out,
                  struct sg_error *err)
{
    AUTO_BIO in = BIO_new_mem_buf(pem, (int)strlen(pem));
    *out = (struct api_certificates){.items = SG_ARENA_ARRAY(arena, struct api_certificate, max)};
    if (!in)
        return sg_fail_openssl(err, SG_E_NO_MEMORY, "no memory for PEM");
    for (;;) {
        __attribute__((cleanup(block_release))) struct block b = {0};
        if (PEM_read_bio(in, &b.name, &b.header, &b.data, &b.len) != 1) {
            bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            ERR_clear_error();
            if (!end)
                return sg_fail(err, SG_E_INVALID, "is not well-formed PEM at block %zu",
                               out->count + 1);
            break;
        }
        if (!block_check(&b, out->count, max, err))
            return false;
        struct sg_bytes der = sg_bytes_of(b.data, (size_t)b.len);
        if (!certificate_fill(arena, der, &out->items[out->count])) {
            ERR_clear_error();
            return sg_fail(err, SG_E_INVALID, "block %zu is not a certificate", out->count + 1);
        }
        out->count++;
    }
    return out->count > 0 || sg_fail(err, SG_E_INVALID, "has no certificate in PEM");
}

bool api_certificate_root(const struct api_certificate *certificate, sg_time now,
                          struct sg_error *err)
{
    AUTO_X509 x = sg_certificate_read(certificate->der);
    if (!x)
        return sg_fail(err, SG_E_INVALID, "is not a certificate");
    time_t at = sg_time_seconds(now);
    EVP_PKEY *key = X509_get0_pubkey(x);
    bool self_signed = X509_self_signed(x, 1) == 1;
    ERR_clear_error();
    if (X509_check_ca(x) != 1)
        return sg_fail(err, SG_E_INVALID, "is not a CA certificate (basic constraints)");
    if ((X509_get_key_usage(x) & X509v3_KU_KEY_CERT_SIGN) == 0)
        return sg_fail(err, SG_E_INVALID, "may not sign certificates (key usage)");
    if (!self_signed)
        return sg_fail(err, SG_E_INVALID, "is not self-signed");
    if (!key ||
        (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN))
        return sg_fail(err, SG_E_INVALID, "has a key of less than %d bits", RSA_BITS_MIN);
    if (X509_cmp_time(X509_get0_notAfter(x), &at) <= 0)
        return sg_fail(err, SG_E_INVALID, "has expired");
    if (X509_cmp_time(X509_get0_notBefore(x), &at) > 0)
        return sg_fail(err, SG_E_INVALID, "is not valid yet");
    return true;
}

char *api_base64(struct sg_arena *arena, struct sg_bytes bytes)
{
    char *out = sg_arena_alloc(arena, (bytes.len + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)out, bytes.data, (int)bytes.len);
    return out;
}

char *api_pem_write(struct sg_arena *arena, const char *label, struct sg_bytes der)
{
    const char *base64 = api_base64(arena, der);
    size_t n = strlen(base64), lines = n / 64 + 1;
    char *body = sg_arena_alloc(arena, n + lines + 1), *p = body;
    for (size_t i = 0; i < n; i += 64) {
        size_t part = n - i < 64 ? n - i : 64;
        memcpy(p, base64 + i, part);
        p += part;
        *p++ = '\n';
    }
    return sg_arena_printf(arena, "-----BEGIN %s-----\n%s-----END %s-----\n", label, body, label);
}

char *api_hex(struct sg_arena *arena, struct sg_bytes bytes)
{
    char *out = sg_arena_alloc(arena, 2 * bytes.len + 1);
    sg_hex_lower(bytes.data, bytes.len, out);
    return out;
}

bool api_check_pem(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    struct api_certificates found;
    if (**value == 0)
        return true;
    if (!api_pem_read(arena, *value, API_PEM_CAS_MAX, &found, err))
        return false;
    const char *pem = "";
    for (size_t i = 0; i < found.count; i++)
        pem = sg_arena_printf(arena, "%s%s", pem,
                              api_pem_write(arena, "CERTIFICATE", found.items[i].der));
    *value = pem;
    return true;
}
