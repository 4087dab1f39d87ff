/*
 * The algorithms that we do, by their object identifiers. Our own policy: what is not in these
 * tables is refused whatever OpenSSL can do (no MD5, RC2, DES; REQ-23, 24, 25).
 */
#ifndef SG_SMIME_ALGORITHM_H
#define SG_SMIME_ALGORITHM_H

#include "common/bytes.h"

#include <openssl/evp.h>

/* Contents of an OBJECT IDENTIFIER element. */
#define SG_OID(name) extern const struct sg_bytes sg_oid_##name
SG_OID(data);                /* 1.2.840.113549.1.7.1 */
SG_OID(signed_data);         /* 1.2.840.113549.1.7.2 */
SG_OID(enveloped_data);      /* 1.2.840.113549.1.7.3 */
SG_OID(auth_enveloped_data); /* 1.2.840.113549.1.9.16.1.23 */
SG_OID(encrypted_data);      /* 1.2.840.113549.1.7.6 */
SG_OID(digested_data);       /* 1.2.840.113549.1.7.5 */
SG_OID(authenticated_data);  /* 1.2.840.113549.1.9.16.1.2 */
SG_OID(compressed_data);     /* … 1.9 */
SG_OID(receipt);             /* … 1.1, of RFC 2634 */
SG_OID(content_type);        /* attributes, 1.2.840.113549.1.9.3 */
SG_OID(message_digest);      /* … 9.4 */
SG_OID(signing_time);        /* … 9.5 */
SG_OID(smime_capabilities);  /* … 9.15 */
SG_OID(rsa_encryption);      /* 1.2.840.113549.1.1.1 */
SG_OID(rsaes_oaep);          /* … 1.7 */
SG_OID(mgf1);                /* … 1.8 */
SG_OID(p_specified);         /* … 1.9, an OAEP label */
SG_OID(ec_public_key);       /* 1.2.840.10045.2.1 */
SG_OID(sha256);
SG_OID(sha384);
SG_OID(aes256_gcm);
SG_OID(aes128_gcm);
SG_OID(aes256_cbc);
SG_OID(aes192_cbc);
SG_OID(aes128_cbc);
SG_OID(des_ede3_cbc);
#undef SG_OID

/* DER of NULL, as parameters. */
extern const struct sg_bytes sg_der_null;

struct sg_digest_algorithm {
    struct sg_bytes oid;
    const char *name; /* "sha256" */
    const EVP_MD *(*md)(void);
};
const struct sg_digest_algorithm *sg_digest_find(struct sg_bytes oid);

struct sg_signature_algorithm {
    struct sg_bytes oid;
    const char *name;          /* "rsaEncryption" (PKCS #1 v1.5), "rsassaPss" or "ecdsa" */
    const EVP_MD *(*md)(void); /* NULL: the OID names none */
};
const struct sg_signature_algorithm *sg_signature_find(struct sg_bytes oid);

struct sg_cipher_algorithm {
    struct sg_bytes oid;
    const char *name; /* "aes-256-cbc" */
    size_t key_bytes;
    bool gcm;
    const EVP_CIPHER *(*cipher)(void);
};
const struct sg_cipher_algorithm *sg_cipher_find(struct sg_bytes oid);

/* An elliptic curve that we do, and what its keys sign and agree with (RFC 5753 §7.1). */
struct sg_curve {
    const char *name; /* OpenSSL's */
    size_t field_bytes;
    const char *digest; /* "sha256" */
    const char *ecdsa;  /* "ecdsa sha256" */
    const EVP_MD *(*md)(void);
    struct sg_bytes digest_oid, signature_oid; /* of ECDSA with that digest */
    struct sg_bytes agreement_oid;             /* of ECDH with a KDF of that digest */
};
/* NULL: no EC key, or none on such a curve. */
const struct sg_curve *sg_curve_of(EVP_PKEY *key);

/* Key agreement by ECDH (RFC 5753 §7.1.4): the digest of its KDF; NULL where it is none of ours.
 * With and without cofactor, which is 1 on our curves. */
const char *sg_agreement_find(struct sg_bytes oid);

struct sg_wrap_algorithm {
    struct sg_bytes oid;
    const char *name; /* "aes-256-wrap" */
    unsigned key_bits;
    const EVP_CIPHER *(*cipher)(void);
};
const struct sg_wrap_algorithm *sg_wrap_find(struct sg_bytes oid);
/* What we wrap a content-encryption key with: as strong as it is. */
const struct sg_wrap_algorithm *sg_wrap_for(size_t key_bytes);

/* A name for an operator: OpenSSL's, or dotted numbers. out has room for a sentence's part. */
void sg_oid_text(struct sg_bytes oid, char *out, size_t size);

#endif
