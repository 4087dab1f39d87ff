/*
 * The formats around an RSA operation: DigestInfo, SubjectPublicKeyInfo, PKCS#1 v1.5 padding, and
 * certification requests. Pure: no PKCS#11.
 */
#ifndef SG_HSM_PKIX_H
#define SG_HSM_PKIX_H

#include "hsmclient/protocol.h"

#define SG_RSA_BYTES_MAX   512
#define SG_SPKI_MAX        600
#define SG_DIGEST_INFO_MAX 96

struct sg_rsa_public {
    size_t n_len, e_len;
    uint8_t n[SG_RSA_BYTES_MAX], e[8]; /* big-endian, without leading zeros */
};

/* From a token's attributes; e_len 0 means 65537. */
SG_MUST_USE bool sg_rsa_public_set(struct sg_rsa_public *public_r, struct sg_bytes n,
                                   struct sg_bytes e, struct sg_error *err);
/* DER; returns its length. */
SG_MUST_USE bool sg_spki_encode(const struct sg_rsa_public *public, uint8_t out[SG_SPKI_MAX],
                                size_t *len_r, struct sg_error *err);

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

/*
 * Certification requests (RFC 2986), signed with sha256WithRSAEncryption. prepare() refuses
 * (SG_E_INVALID) what is no DER CertificationRequestInfo of version 1 with exactly this public
 * key; hash_r is what to sign. finish() adds the signature and verifies it.
 */
struct sg_csr;
SG_MUST_USE bool sg_csr_prepare(struct sg_bytes info, struct sg_bytes spki, struct sg_csr **csr_r,
                                uint8_t hash_r[32], struct sg_error *err);
SG_MUST_USE bool sg_csr_finish(struct sg_csr *csr, struct sg_bytes signature, uint8_t *out,
                               size_t size, size_t *len_r, struct sg_error *err);
void sg_csr_free(struct sg_csr **csr);

#endif
