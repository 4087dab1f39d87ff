/*
 * Elliptic curves: points, signatures, and what stands behind an agreement of keys. Pure: no
 * PKCS#11. P-256 and P-384, no other.
 */
#ifndef SG_HSM_EC_H
#define SG_HSM_EC_H

#include "hsm/pkix.h"

/* Octets of a coordinate. type is none of RSA's. */
size_t sg_ec_field_size(enum sg_key_type type);
/* The curve's OBJECT IDENTIFIER in DER: CKA_EC_PARAMS. */
struct sg_bytes sg_ec_params(enum sg_key_type type);
/* The curve that CKA_EC_PARAMS names; false: another one, or one that is spelt out. */
bool sg_ec_type(struct sg_bytes params, enum sg_key_type *type_r);

/*
 * A point of SEC 1 §2.3.3, compressed or not, to its uncompressed form. false: it is none on the
 * curve, or the point at infinity. Both curves have the cofactor 1: to be on the curve is to be in
 * its group.
 */
bool sg_ec_point_read(enum sg_key_type type, struct sg_bytes octets, struct sg_ec_public *point_r);

/* A SubjectPublicKeyInfo as sg_spki_encode() writes it, with a point as above. false: it is another
 * one, and not known to be bad. */
bool sg_ec_spki_read(struct sg_bytes spki, struct sg_public_key *public_r);
EVP_PKEY *sg_ec_pkey(enum sg_key_type type, const struct sg_ec_public *point);
/* false: no key on a curve of ours. */
bool sg_ec_of(EVP_PKEY *pkey, struct sg_public_key *public_r);

/* ECDSA-Sig-Value in DER from r and s as PKCS#11 gives them, one behind the other. 0: it is none.
 */
#define SG_ECDSA_MAX 112
size_t sg_ecdsa_encode(struct sg_bytes rs, uint8_t out[SG_ECDSA_MAX]);
SG_MUST_USE bool sg_ecdsa_verify(const struct sg_public_key *public, struct sg_bytes hash,
                                 struct sg_bytes signature);

/*
 * From an agreed secret to the content-encryption key: X9.63 KDF (SEC 1 §3.6.1) with the shared
 * info, then unwrapping (RFC 3394, RFC 3217). false: the key does not unwrap to len octets.
 */
bool sg_ecdh_unwrap(struct sg_bytes secret, struct sg_bytes info, enum sg_hsm_digest digest,
                    enum sg_hsm_wrap wrap, struct sg_bytes wrapped, uint8_t *out, size_t len);

#endif
