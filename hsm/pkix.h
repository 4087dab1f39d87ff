/*
 * The formats around an operation: public keys, DigestInfo, PKCS #1 v1.5 and OAEP padding, and
 * certification requests. Pure: no PKCS#11. What belongs to elliptic curves alone is in ec.h.
 */
#ifndef SG_HSM_PKIX_H
#define SG_HSM_PKIX_H

#include "hsmclient/protocol.h"

#include <openssl/evp.h>

#define SG_RSA_BYTES_MAX   512
#define SG_POINT_MAX       SG_HSM_POINT_MAX
#define SG_SPKI_MAX        600
#define SG_DIGEST_INFO_MAX 96

struct sg_rsa_public {
    size_t n_len, e_len;
    uint8_t n[SG_RSA_BYTES_MAX], e[8]; /* big-endian, without leading zeros */
};

/* From a token's attributes; e_len 0 means 65537. */
SG_MUST_USE bool sg_rsa_public_set(struct sg_rsa_public *public_r, struct sg_bytes n,
                                   struct sg_bytes e, struct sg_error *err);

enum sg_key_type { SG_KEY_RSA, SG_KEY_P256, SG_KEY_P384 };

struct sg_public_key {
    enum sg_key_type type;
    union {
        struct sg_rsa_public rsa;
        struct sg_ec_public {
            size_t len;
            uint8_t point[SG_POINT_MAX]; /* uncompressed */
        } ec;
    };
};

/* SubjectPublicKeyInfo in DER. */
SG_MUST_USE bool sg_spki_encode(const struct sg_public_key *public, uint8_t out[SG_SPKI_MAX],
                                size_t *len_r, struct sg_error *err);
/* SG_E_HSM_KEY: no key that hsmd makes. */
SG_MUST_USE bool sg_spki_decode(struct sg_bytes spki, struct sg_public_key *public_r,
                                struct sg_error *err);
/* For OpenSSL, which verifies with it; NULL where it takes it for none. */
EVP_PKEY *sg_public_pkey(const struct sg_public_key *public);

/* What RSASSA-PKCS1-v1_5 pads: DigestInfo in DER (RFC 8017 §9.2). hash has the digest's length. */
size_t sg_digest_info(enum sg_hsm_digest digest, struct sg_bytes hash,
                      uint8_t out[SG_DIGEST_INFO_MAX]);

/* Whether encrypted can be the result of an encryption to that key at all. Public knowledge. */
bool sg_rsa_in_range(const struct sg_rsa_public *public, struct sg_bytes encrypted);
/*
 * RSAES-PKCS1-v1_5 unpadding of em (as long as the modulus) to exactly len octets: out gets them,
 * or fallback where the padding is bad or holds another length. Constant time: no branch and no
 * index depends on em.
 */
void sg_pkcs1_unpad(struct sg_bytes em, const uint8_t *fallback, uint8_t *out, size_t len);
/* The same for RSAES-OAEP (RFC 8017 §7.1.2) without a label. false: OpenSSL failed, nothing is
 * known. */
SG_MUST_USE bool sg_oaep_unpad(struct sg_bytes em, enum sg_hsm_digest digest,
                               enum sg_hsm_digest mask, const uint8_t *fallback, uint8_t *out,
                               size_t len, struct sg_error *err);
const EVP_MD *sg_hsm_md(enum sg_hsm_digest digest);

/*
 * Certification requests (RFC 2986). prepare() refuses (SG_E_INVALID) what is no DER
 * CertificationRequestInfo of version 1 with exactly this public key; hash_r is what to sign, of
 * SHA-384 for a key on P-384 and else of SHA-256. finish() adds the signature and verifies it.
 */
struct sg_csr;
enum sg_hsm_digest sg_csr_digest(enum sg_key_type type);
SG_MUST_USE bool sg_csr_prepare(struct sg_bytes info, const struct sg_public_key *public,
                                struct sg_csr **csr_r, uint8_t hash_r[EVP_MAX_MD_SIZE],
                                struct sg_error *err);
SG_MUST_USE bool sg_csr_finish(struct sg_csr *csr, struct sg_bytes signature, uint8_t *out,
                               size_t size, size_t *len_r, struct sg_error *err);
void sg_csr_free(struct sg_csr **csr);

#endif
