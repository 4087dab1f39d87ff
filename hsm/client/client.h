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
    SG_HSM_PKCS1 = 1, /* signs, and opens content-encryption keys */
    SG_HSM_PSS,       /* signs: MGF1 of the same digest, salt = digest length */
    SG_HSM_ECDSA,     /* signs: P-256 with SHA-256, P-384 with SHA-256 or SHA-384 */
    SG_HSM_OAEP,      /* opens: no label */
    SG_HSM_ECDH       /* opens: RFC 5753 §3.1, X9.63 KDF */
};
enum sg_hsm_digest { SG_HSM_SHA1 = 1, SG_HSM_SHA256, SG_HSM_SHA384, SG_HSM_SHA512 };
enum sg_hsm_wrap {
    SG_HSM_AES128_WRAP = 1,
    SG_HSM_AES192_WRAP,
    SG_HSM_AES256_WRAP,
    SG_HSM_3DES_WRAP
};

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
 * Makes a key pair: RSA of 2048, 3072 or 4096 bits; of class DCA also on the curve P-256 or P-384
 * with bits 256 or 384. key->blob is ignored. spki_r gets the DER
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

/* hash is the digest itself; sig_r gets the signature: as long as the modulus, or the DER of an
 * ECDSA-Sig-Value. A scheme of another kind of key is refused (SG_E_HSM_KEY). */
SG_MUST_USE bool sg_hsm_sign(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                             enum sg_hsm_scheme scheme, enum sg_hsm_digest digest,
                             struct sg_bytes hash, struct sg_buf *sig_r, struct sg_error *err);
/*
 * A CertificationRequestInfo (RFC 2986) in DER, whose public key must be the key's own; csr_r gets
 * the signed CertificationRequest (sha256WithRSAEncryption; ecdsa-with-SHA256 for P-256,
 * ecdsa-with-SHA384 for P-384).
 */
SG_MUST_USE bool sg_hsm_sign_csr(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                                 struct sg_bytes request_info, struct sg_buf *csr_r,
                                 struct sg_error *err);
/* Octets of the parts of a content-encryption key's question; hsmd is not asked with longer ones.
 */
#define SG_HSM_CEK_MAX     64
#define SG_HSM_POINT_MAX   97 /* uncompressed */
#define SG_HSM_INFO_MAX    512
#define SG_HSM_WRAPPED_MAX (SG_HSM_CEK_MAX + 16)

/* A content-encryption key as it came, and what its sender said of how. */
struct sg_hsm_cek {
    enum sg_hsm_scheme scheme; /* PKCS1, OAEP or ECDH */
    enum sg_hsm_digest digest; /* OAEP: of the label; ECDH: of the KDF (SHA-1, SHA-256, SHA-384) */
    enum sg_hsm_digest mask;   /* OAEP: of MGF1 */
    enum sg_hsm_wrap wrap;     /* ECDH */
    struct sg_bytes point;     /* ECDH: the sender's ephemeral key (SEC 1 §2.3.3) */
    struct sg_bytes info;      /* ECDH: SharedInfo (RFC 5753 §7.2) */
    struct sg_bytes encrypted;
    size_t key_bytes; /* that the content's cipher wants */
};
/*
 * Opens a content-encryption key. What does not open (bad padding, another length, a point that is
 * not on the curve, a key that was wrapped by another) gives a random key of that length, with the
 * same answer: the caller cannot tell (RFC 3218, FACTS).
 */
SG_MUST_USE bool sg_hsm_decrypt_cek(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                                    const struct sg_hsm_cek *cek, struct sg_secret *cek_r,
                                    struct sg_error *err);

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
