#include "hsm/pkix.h"

#include "hsm/ec.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

bool sg_rsa_public_set(struct sg_rsa_public *public, struct sg_bytes n, struct sg_bytes e,
                       struct sg_error *err)
{
    static const uint8_t f4[] = {1, 0, 1};
    if (e.len == 0)
        e = sg_bytes_of(f4, sizeof f4);
    while (n.len && n.data[0] == 0)
        n = sg_bytes_slice(n, 1, n.len);
    while (e.len && e.data[0] == 0)
        e = sg_bytes_slice(e, 1, e.len);
    if (n.len < 256 || n.len > sizeof public->n || e.len == 0 || e.len > sizeof public->e)
        return sg_fail(err, SG_E_HSM_KEY, "no RSA key of 2048 to 4096 bits");
    memset(public, 0, sizeof *public);
    memcpy(public->n, n.data, n.len);
    memcpy(public->e, e.data, e.len);
    public->n_len = n.len;
    public->e_len = e.len;
    return true;
}

static EVP_PKEY *rsa_pkey(const struct sg_rsa_public *public)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *n = BN_bin2bn(public->n, (int)public->n_len, NULL);
    BIGNUM *e = BN_bin2bn(public->e, (int)public->e_len, NULL);
    if (build && ctx && n && e && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
        params = OSSL_PARAM_BLD_to_param(build);
    if (params && EVP_PKEY_fromdata_init(ctx) > 0)
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    BN_free(e);
    return pkey;
}

EVP_PKEY *sg_public_pkey(const struct sg_public_key *public)
{
    return public->type == SG_KEY_RSA ? rsa_pkey(&public->rsa)
                                      : sg_ec_pkey(public->type, &public->ec);
}

bool sg_spki_encode(const struct sg_public_key *public, uint8_t out[SG_SPKI_MAX], size_t *len_r,
                    struct sg_error *err)
{
    EVP_PKEY *pkey = sg_public_pkey(public);
    uint8_t *p = out;
    int len = pkey ? i2d_PUBKEY(pkey, NULL) : -1;
    bool ok = len > 0 && len <= SG_SPKI_MAX && i2d_PUBKEY(pkey, &p) == len;
    EVP_PKEY_free(pkey);
    *len_r = ok ? (size_t)len : 0;
    return ok || sg_fail_openssl(err, SG_E_CRYPTO, "cannot encode a public key");
}

static bool rsa_of(EVP_PKEY *pkey, struct sg_rsa_public *public, struct sg_error *err)
{
    uint8_t n[SG_RSA_BYTES_MAX], e[8];
    BIGNUM *modulus = NULL, *exponent = NULL;
    int n_len = -1, e_len = -1;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &modulus) &&
        BN_num_bytes(modulus) <= (int)sizeof n)
        n_len = BN_bn2bin(modulus, n);
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) &&
        BN_num_bytes(exponent) <= (int)sizeof e)
        e_len = BN_bn2bin(exponent, e);
    BN_free(modulus);
    BN_free(exponent);
    if (n_len < 0 || e_len <= 0)
        return sg_fail(err, SG_E_HSM_KEY, "no RSA key of 2048 to 4096 bits");
    return sg_rsa_public_set(public, sg_bytes_of(n, (size_t)n_len), sg_bytes_of(e, (size_t)e_len),
                             err);
}

bool sg_spki_decode(struct sg_bytes spki, struct sg_public_key *public, struct sg_error *err)
{
    memset(public, 0, sizeof *public);
    if (sg_ec_spki_read(spki, public)) /* OpenSSL's decoders take longer than the rest of it */
        return true;
    const uint8_t *p = spki.data;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)spki.len);
    memset(public, 0, sizeof *public);
    bool ok;
    if (pkey && p == spki.data + spki.len && EVP_PKEY_is_a(pkey, "RSA"))
        ok = rsa_of(pkey, &public->rsa, err);
    else
        ok = (pkey && p == spki.data + spki.len && sg_ec_of(pkey, public)) ||
             sg_fail_openssl(err, SG_E_HSM_KEY, "no public key that we do");
    EVP_PKEY_free(pkey);
    return ok;
}

const EVP_MD *sg_hsm_md(enum sg_hsm_digest digest)
{
    switch (digest) {
    case SG_HSM_SHA1:
        return EVP_sha1();
    case SG_HSM_SHA256:
        return EVP_sha256();
    case SG_HSM_SHA384:
        return EVP_sha384();
    case SG_HSM_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

size_t sg_digest_info(enum sg_hsm_digest digest, struct sg_bytes hash,
                      uint8_t out[SG_DIGEST_INFO_MAX])
{
    static const uint8_t sha1[] = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                   0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
    /* SHA-2: total length, last arc of the OID and digest length differ (RFC 8017 §9.2 note 1) */
    uint8_t sha2[] = {0x30, 0,    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                      0x65, 0x03, 0x04, 0x02, 0,    0x05, 0x00, 0x04, 0};
    sha2[1] = (uint8_t)(17 + hash.len);
    sha2[14] = digest == SG_HSM_SHA256 ? 1 : digest == SG_HSM_SHA384 ? 2 : 3;
    sha2[18] = (uint8_t)hash.len;
    const uint8_t *head = digest == SG_HSM_SHA1 ? sha1 : sha2;
    size_t head_len = digest == SG_HSM_SHA1 ? sizeof sha1 : sizeof sha2;
    if (hash.len != sg_hsm_digest_size(digest) || hash.len == 0)
        return 0;
    memcpy(out, head, head_len);
    memcpy(out + head_len, hash.data, hash.len);
    return head_len + hash.len;
}

bool sg_rsa_in_range(const struct sg_rsa_public *public, struct sg_bytes encrypted)
{
    return encrypted.len == public->n_len && memcmp(encrypted.data, public->n, encrypted.len) < 0;
}

/* 0xff when x is zero, else 0. */
static uint8_t is_zero(uint8_t x)
{
    return (uint8_t)(((unsigned)x - 1) >> 8);
}

/* Where good is 0xff what was found, where it is 0 the fallback. */
static void choose(uint8_t good, const uint8_t *found, const uint8_t *fallback, uint8_t *out,
                   size_t len)
{
    __asm__("" : "+r"(good)); /* or the compiler may turn the mask into a branch */
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)((found[i] & good) | (fallback[i] & (uint8_t)~good));
}

void sg_pkcs1_unpad(struct sg_bytes em, const uint8_t *fallback, uint8_t *out, size_t len)
{
    size_t separator = em.len - len - 1; /* where the zero must be; em.len is far larger */
    uint8_t good = is_zero(em.data[0]) & is_zero(em.data[1] ^ 2) & is_zero(em.data[separator]);
    for (size_t i = 2; i < separator; i++)
        good &= (uint8_t)~is_zero(em.data[i]);
    choose(good, em.data + separator + 1, fallback, out, len);
}

/* MGF1 (RFC 8017 §B.2.1) over at most SG_RSA_BYTES_MAX octets, added to what is there. */
static bool mask_add(enum sg_hsm_digest digest, struct sg_bytes seed, uint8_t *out, size_t len)
{
    const EVP_MD *md = sg_hsm_md(digest);
    uint8_t block[EVP_MAX_MD_SIZE], counter[4] = {0};
    unsigned block_len = 1;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL;
    for (size_t at = 0; ok && at < len; at += block_len, counter[3]++) {
        ok = EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, seed.data, seed.len) &&
             EVP_DigestUpdate(ctx, counter, sizeof counter) &&
             EVP_DigestFinal_ex(ctx, block, &block_len);
        for (size_t i = 0; ok && i < block_len && at + i < len; i++)
            out[at + i] ^= block[i];
    }
    EVP_MD_CTX_free(ctx);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

bool sg_oaep_unpad(struct sg_bytes em, enum sg_hsm_digest digest, enum sg_hsm_digest mask,
                   const uint8_t *fallback, uint8_t *out, size_t len, struct sg_error *err)
{
    size_t hash_len = sg_hsm_digest_size(digest), db_len = em.len - 1 - hash_len;
    uint8_t seed[EVP_MAX_MD_SIZE], db[SG_RSA_BYTES_MAX], label[EVP_MAX_MD_SIZE];
    memcpy(seed, em.data + 1, hash_len);
    memcpy(db, em.data + 1 + hash_len, db_len);
    bool ok = EVP_Digest("", 0, label, NULL, sg_hsm_md(digest), NULL) &&
              mask_add(mask, sg_bytes_of(db, db_len), seed, hash_len) &&
              mask_add(mask, sg_bytes_of(seed, hash_len), db, db_len);
    size_t separator = db_len - len - 1; /* where the one must be; db_len is far larger */
    uint8_t good = is_zero(em.data[0]) & is_zero(db[separator] ^ 1);
    for (size_t i = 0; i < hash_len; i++)
        good &= is_zero(db[i] ^ label[i]);
    for (size_t i = hash_len; i < separator; i++)
        good &= is_zero(db[i]);
    choose(good, db + separator + 1, fallback, out, len);
    OPENSSL_cleanse(seed, sizeof seed);
    OPENSSL_cleanse(db, sizeof db);
    return ok || sg_fail_openssl(err, SG_E_CRYPTO, "MGF1");
}

/* Certification requests ----------------------------------------------------------------------- */

struct sg_csr {
    X509_REQ *req;
};

void sg_csr_free(struct sg_csr **csr)
{
    if (!*csr)
        return;
    X509_REQ_free((*csr)->req);
    free(*csr);
    *csr = NULL;
}

/* AlgorithmIdentifier of the signature and a BIT STRING that is replaced later. */
static struct sg_bytes unsigned_tail(enum sg_key_type type)
{
#define BITS 0x03, 0x02, 0x00, 0x00
    static const uint8_t rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00, BITS};
    static const uint8_t p256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x04, 0x03, 0x02, BITS};
    static const uint8_t p384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x04, 0x03, 0x03, BITS};
#undef BITS
    switch (type) {
    case SG_KEY_P256:
        return sg_bytes_of(p256, sizeof p256);
    case SG_KEY_P384:
        return sg_bytes_of(p384, sizeof p384);
    case SG_KEY_RSA:
        break;
    }
    return sg_bytes_of(rsa, sizeof rsa);
}

/* OpenSSL has no type of its own for a CertificationRequestInfo: read it as a whole request. */
static X509_REQ *request_of(struct sg_bytes info, enum sg_key_type type)
{
    struct sg_bytes tail = unsigned_tail(type);
    uint8_t der[SG_HSM_INPUT_MAX + 64];
    size_t body = info.len + tail.len, head = body < 128 ? 2 : body < 256 ? 3 : 4;
    if (info.len > SG_HSM_INPUT_MAX)
        return NULL;
    der[0] = 0x30;
    der[1] = head == 2 ? (uint8_t)body : (uint8_t)(0x80 | (head - 2));
    for (size_t i = 2; i < head; i++)
        der[i] = (uint8_t)(body >> (8 * (head - 1 - i)));
    memcpy(der + head, info.data, info.len);
    memcpy(der + head + info.len, tail.data, tail.len);
    const uint8_t *p = der;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)(head + body));
    if (req && p == der + head + body)
        return req;
    X509_REQ_free(req);
    return NULL;
}

/* The same octets again: it was DER, and nothing in it escaped the parser. */
static bool encodes_back(X509_REQ *req, struct sg_bytes info)
{
    uint8_t *der = NULL;
    int len = i2d_re_X509_REQ_tbs(req, &der);
    bool same = len > 0 && sg_bytes_equal(info, sg_bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    return same;
}

static bool has_key(X509_REQ *req, struct sg_bytes spki)
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &der);
    bool same = len > 0 && sg_bytes_equal(spki, sg_bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    return same;
}

enum sg_hsm_digest sg_csr_digest(enum sg_key_type type)
{
    return type == SG_KEY_P384 ? SG_HSM_SHA384 : SG_HSM_SHA256;
}

bool sg_csr_prepare(struct sg_bytes info, const struct sg_public_key *public, struct sg_csr **csr_r,
                    uint8_t hash_r[EVP_MAX_MD_SIZE], struct sg_error *err)
{
    uint8_t spki[SG_SPKI_MAX];
    size_t spki_len;
    *csr_r = NULL;
    if (!sg_spki_encode(public, spki, &spki_len, err))
        return false;
    X509_REQ *req = request_of(info, public->type);
    if (!req || !encodes_back(req, info) || X509_REQ_get_version(req) != X509_REQ_VERSION_1) {
        X509_REQ_free(req);
        return sg_fail_openssl(err, SG_E_INVALID, "no CertificationRequestInfo in DER");
    }
    if (!has_key(req, sg_bytes_of(spki, spki_len))) {
        X509_REQ_free(req);
        return sg_fail(err, SG_E_INVALID, "the request names another public key");
    }
    if (EVP_Digest(info.data, info.len, hash_r, NULL, sg_hsm_md(sg_csr_digest(public->type)),
                   NULL) != 1) {
        X509_REQ_free(req);
        return sg_fail_openssl(err, SG_E_CRYPTO, "digest");
    }
    *csr_r = calloc(1, sizeof **csr_r);
    if (!*csr_r)
        abort();
    (*csr_r)->req = req;
    return true;
}

bool sg_csr_finish(struct sg_csr *csr, struct sg_bytes signature, uint8_t *out, size_t size,
                   size_t *len_r, struct sg_error *err)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    if (!bits || !ASN1_BIT_STRING_set(bits, (uint8_t *)signature.data, (int)signature.len)) {
        ASN1_BIT_STRING_free(bits);
        return sg_fail_openssl(err, SG_E_CRYPTO, "cannot keep a signature");
    }
    bits->flags = (bits->flags & ~7L) | ASN1_STRING_FLAG_BITS_LEFT; /* no unused bits */
    X509_REQ_set0_signature(csr->req, bits);
    if (X509_REQ_verify(csr->req, X509_REQ_get0_pubkey(csr->req)) != 1)
        return sg_fail_openssl(err, SG_E_HSM_OPERATION, "the HSM's signature does not verify");
    int len = i2d_X509_REQ(csr->req, NULL);
    if (len <= 0 || (size_t)len > size)
        return sg_fail(err, SG_E_LIMIT, "the certification request is too long");
    *len_r = (size_t)i2d_X509_REQ(csr->req, &out);
    return true;
}
