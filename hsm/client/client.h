/*
 * Client of hsmd: private-key operations over its Unix socket. Thread-safe; connections are kept
 * in a bounded pool. hsmd decides by the caller's uid × operation × key class.
 *
 * Errors: SG_E_HSM_UNAVAILABLE (hsmd or the token away, time-out; temporary), SG_E_HSM_DENIED,
 * SG_E_HSM_KEY (no such key, tampered blob), SG_E_BUSY, SG_E_HSM_OPERATION (CK_RV in lib_code).
 */
#ifndef SG_HSMCLIENT_CLIENT_H
#define SG_HSMCLIENT_CLIENT_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/id.h"
#include "common/secret.h"

enum sg_hsm_class {
    SG_HSM_DCA = 1, /* a domain's signing and decryption key */
    SG_HSM_HOLD,    /* data keys of held mail and notices */
    SG_HSM_JOURNAL, /* data keys of the open journal */
    SG_HSM_ARCHIVE, /* the quarter's archive key pair */
    SG_HSM_EVIDENCE /* signs evidence roots */
};
enum sg_hsm_kind { SG_HSM_TOKEN = 1, SG_HSM_WRAPPED };
enum sg_hsm_scheme {
    SG_HSM_PKCS1 = 1,
    SG_HSM_PSS
}; /* PSS: MGF1 of the same digest, salt = digest length */
enum sg_hsm_digest { SG_HSM_SHA1 = 1, SG_HSM_SHA256, SG_HSM_SHA384, SG_HSM_SHA512 };

/*
 * Names a key pair. id is a "key_…" or "ark_…" id, whose 16 bytes are the CKA_ID of a token key.
 * tenant and domain are ids that bind a wrapped blob ("" where none applies). Views are borrowed.
 */
struct sg_hsm_key {
    const char *id, *tenant, *domain;
    enum sg_hsm_class class;
    enum sg_hsm_kind kind;
    struct sg_bytes blob; /* wrapped keys alone */
};

struct sg_hsm_options {
    const char *socket; /* "unix:/run/…/hsmd.sock" */
    int connections;    /* at most */
    int64_t timeout_ms; /* of one operation, waiting for a connection included */
};

struct sg_hsm;

/* Connects lazily: never fails because hsmd is away. */
struct sg_hsm *sg_hsm_new(const struct sg_hsm_options *options);
void sg_hsm_free(struct sg_hsm **hsm);

SG_MUST_USE bool sg_hsm_health(struct sg_hsm *hsm, struct sg_error *err);

/*
 * Makes an RSA key pair of bits (2048, 3072, 4096). key->blob is ignored. spki_r gets the DER
 * SubjectPublicKeyInfo, blob_r the bound and wrapped private key (empty for a token key). Making
 * a token key whose id exists returns the public key of the existing one: the call is idempotent.
 */
SG_MUST_USE bool sg_hsm_generate(struct sg_hsm *hsm, const struct sg_hsm_key *key, int bits,
                                 struct sg_buf *spki_r, struct sg_buf *blob_r,
                                 struct sg_error *err);
SG_MUST_USE bool sg_hsm_public_key(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                                   struct sg_buf *spki_r, struct sg_error *err);
SG_MUST_USE bool sg_hsm_destroy(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                                struct sg_error *err);

/* hash is the digest itself; sig_r gets the signature, as long as the modulus. */
SG_MUST_USE bool sg_hsm_sign(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                             enum sg_hsm_scheme scheme, enum sg_hsm_digest digest,
                             struct sg_bytes hash, struct sg_buf *sig_r, struct sg_error *err);
/*
 * A CertificationRequestInfo (RFC 2986) in DER, whose public key must be the key's own; csr_r gets
 * the signed CertificationRequest (sha256WithRSAEncryption).
 */
SG_MUST_USE bool sg_hsm_sign_csr(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                                 struct sg_bytes request_info, struct sg_buf *csr_r,
                                 struct sg_error *err);
/*
 * Decrypts an RSAES-PKCS1-v1_5 content-encryption key of key_bytes octets. Bad padding or another
 * length gives a random key of that length, in the same time and with the same answer: the caller
 * cannot tell (RFC 3218, FACTS).
 */
SG_MUST_USE bool sg_hsm_decrypt_cek(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                                    struct sg_bytes encrypted, size_t key_bytes,
                                    struct sg_secret *cek_r, struct sg_error *err);

/*
 * Data keys of class HOLD or JOURNAL: 32 random bytes and their wrapped form (AES key wrap under
 * a key-encryption key of the HSM, with class and binding under an HSM MAC). binding is any text
 * of at most 128 bytes; opening needs the same.
 */
SG_MUST_USE bool sg_hsm_data_key_make(struct sg_hsm *hsm, enum sg_hsm_class class,
                                      const char *binding, struct sg_secret *key_r,
                                      struct sg_buf *wrapped_r, struct sg_error *err);
SG_MUST_USE bool sg_hsm_data_key_open(struct sg_hsm *hsm, enum sg_hsm_class class,
                                      const char *binding, struct sg_bytes wrapped,
                                      struct sg_secret *key_r, struct sg_error *err);

#endif
