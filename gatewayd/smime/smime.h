/*
 * S/MIME (RFC 8551, RFC 5652, domain security of RFC 3183): bytes in, bytes and facts out, in one
 * streaming pass whose memory does not grow with the message. Keys stay behind callbacks.
 */
#ifndef SG_SMIME_SMIME_H
#define SG_SMIME_SMIME_H

#include "common/arena.h"
#include "common/budget.h"
#include "common/buf.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/secret.h"
#include "mime/header.h"
#include "spool/spool.h"

#include <openssl/x509.h>

/* Sealing -------------------------------------------------------------------------------------- */

/* A hash and how it is to be signed. */
struct sg_smime_to_sign {
    const char
        *scheme; /* "rsa-pkcs1" or "ecdsa" (whose signature is the DER of an ECDSA-Sig-Value) */
    const char *digest; /* "sha256", "sha384" */
    struct sg_bytes hash;
};

/* The certificate's key says how it signs: RSA PKCS #1 v1.5 with SHA-256, ECDSA on P-256 with
 * SHA-256 and on P-384 with SHA-384. sig_r gets the signature. */
struct sg_smime_signer {
    X509 *certificate;
    STACK_OF(X509) *chain; /* intermediates that travel along (REQ-70); may be NULL */
    bool (*sign)(void *ctx, const struct sg_smime_to_sign *what, struct sg_buf *sig_r,
                 struct sg_error *err);
    void *ctx;
};

/* The MIME entity that is signed: its header fields (each with its line end, without the empty
 * line) and the range of a spool that is its body. 8-bit content stays as it is. */
struct sg_smime_entity {
    struct sg_bytes headers;
    const struct sg_spool *body;
    uint64_t offset, len;
};

/*
 * The detached signature over the entity: a SignedData in DER with signed attributes content type,
 * message digest, signing time and our own S/MIME capabilities (REQ-71). One private operation;
 * signature_r serves every recipient domain of the message.
 */
SG_MUST_USE bool sg_smime_sign(const struct sg_smime_entity *entity,
                               const struct sg_smime_signer *signer, sg_time now,
                               struct sg_buf *signature_r, struct sg_error *err);

/* How a certificate's key signs, for the trace: "rsa sha256". */
const char *sg_smime_signature_name(X509 *certificate);

/* What makes a multipart/signed (RFC 1847) of an entity and its signature: its Content-Type field,
 * and what stands before and behind the entity in its body. Zeroed at first. */
struct sg_smime_wrapping {
    struct sg_buf field, before, behind;
};
SG_MUST_USE bool sg_smime_wrap(struct sg_bytes signature, struct sg_smime_wrapping *wrapping_r,
                               struct sg_error *err);
void sg_smime_wrapping_free(struct sg_smime_wrapping *wrapping);

/* GCM gives an AuthEnvelopedData (RFC 5083, RFC 5084), the others an EnvelopedData. */
enum sg_smime_cipher {
    SG_SMIME_AES128_CBC,
    SG_SMIME_AES256_CBC,
    SG_SMIME_3DES_CBC,
    SG_SMIME_AES128_GCM,
    SG_SMIME_AES256_GCM
};

/* To an RSA key by PKCS #1 v1.5 or by OAEP (RFC 3560, SHA-256 with MGF1 of the same), to a key on
 * P-256 or P-384 by ECDH (RFC 5753) with an ephemeral key of its own, whatever oaep says. */
struct sg_smime_recipient {
    X509 *certificate;
    bool oaep;
};

/*
 * multipart/signed of entity and signature (of sg_smime_sign), encrypted to the recipients
 * (IssuerAndSerialNumber), as base64 with CRLF: the body of an application/pkcs7-mime entity.
 * headers_r gets that entity's header fields (MIME-Version, Content-Type,
 * Content-Transfer-Encoding, Content-Disposition). What a partner can read is for the caller to
 * know. SG_E_CERT: a recipient's key is none that we encrypt to.
 */
SG_MUST_USE bool sg_smime_envelop(const struct sg_smime_entity *entity, struct sg_bytes signature,
                                  const struct sg_smime_recipient *recipients,
                                  size_t recipient_count, enum sg_smime_cipher cipher,
                                  struct sg_buf *headers_r, const struct sg_sink *out,
                                  struct sg_error *err);

/* Opening -------------------------------------------------------------------------------------- */

/* One of our own keys: a message for its certificate can be opened with it. */
struct sg_smime_own_key {
    X509 *certificate;
    void *key; /* the caller's */
};

/* A content-encryption key as it came to one of our keys, and what its sender said of how. */
enum sg_smime_transport { SG_SMIME_RSA_PKCS1, SG_SMIME_RSA_OAEP, SG_SMIME_ECDH };
struct sg_smime_cek {
    enum sg_smime_transport transport;
    const char *digest;    /* OAEP: of the label; ECDH: of the X9.63 KDF. "sha256" */
    const char *mask;      /* OAEP: of MGF1 */
    const char *wrap;      /* ECDH: "aes-256-wrap", "des-ede3-wrap" */
    struct sg_bytes point; /* ECDH: the sender's ephemeral key, on no checked curve */
    struct sg_bytes info;  /* ECDH: ECC-CMS-SharedInfo */
    struct sg_bytes encrypted;
    size_t key_bytes; /* that are wanted */
};

enum sg_smime_layer_kind {
    SG_SMIME_ENVELOPED, /* and whatever was not read far enough to tell */
    SG_SMIME_SIGNED,
    SG_SMIME_CERTIFICATES, /* certs-only (RFC 8551 §3.8): nothing is signed by it */
    SG_SMIME_OTHER         /* neither secret nor signed by itself: compressed data (RFC 3274) … */
};
enum sg_smime_result {
    SG_SMIME_OK,
    SG_SMIME_ALTERED,       /* digest or signature does not fit (003) */
    SG_SMIME_NOT_FOR_US,    /* no RecipientInfo names one of our certificates */
    SG_SMIME_UNDECRYPTABLE, /* bad key, padding or structure inside: not told apart */
    SG_SMIME_UNSUPPORTED,   /* algorithm or structure that we do not do; detail says which */
    SG_SMIME_MALFORMED,
    SG_SMIME_NO_CERTIFICATE /* the signer's certificate is not in the message */
};

struct sg_smime_signer_info {
    enum sg_smime_result result;
    X509 *certificate;  /* of the signer; NULL for NO_CERTIFICATE; lives with the opened message */
    const char *digest; /* "sha256" */
    const char *signature; /* "rsaEncryption", "rsassaPss", "ecdsa" */
    sg_time signing_time;  /* 0: absent */
    /* DER of the SMIMECapabilities (RFC 8551 §2.5.2) of a good signature; empty: it has none. */
    struct sg_bytes capabilities;
    const char *detail; /* a sentence for the trace */
};

struct sg_smime_layer {
    enum sg_smime_layer_kind kind;
    enum sg_smime_result result;
    const char *detail;
    bool beyond; /* deeper than we open: it was not looked at, and may be anything */
    /* ENVELOPED */
    bool for_us;           /* a RecipientInfo names one of our certificates */
    const char *cipher;    /* "aes-256-cbc" */
    const char *transport; /* of the key that opened it: "rsa-pkcs1", "rsa-oaep", "ecdh" */
    size_t own_key;        /* index of the key that opened it */
    bool authenticated;    /* GCM */
    /* SIGNED */
    bool detached;
    struct sg_smime_signer_info *signers;
    size_t signer_count;
    /* All that the message carried; behind them what was found elsewhere (REQ-82). */
    STACK_OF(X509) *certificates;
    /* Revocation lists that it carried (RFC 8550 §2.1), as they came and not yet looked at. */
    struct sg_bytes *lists;
    size_t list_count;
    bool stripped; /* taken off (a domain's signature), or left on (an individual's) */
    /* Left on and good, and nothing beside what it covers is anything that a reader would render.
     */
    bool alone;
};

struct sg_smime_options {
    struct sg_smime_own_key *own;
    size_t own_count;
    /* Opens a content-encryption key; what does not open gives a random key (see hsmclient). */
    bool (*decrypt_cek)(void *ctx, void *key, const struct sg_smime_cek *cek,
                        struct sg_secret *cek_r, struct sg_error *err);
    /* Is this signer's certificate a domain's (REQ-46, 88)? Only such a layer is taken off. */
    bool (*is_domain_signer)(void *ctx, const X509 *certificate);
    /*
     * REQ-82: certificates among which may be that of a signer whose own the message does not
     * carry; the nearest place first, in rounds from 0, *found_r NULL where there are no more
     * places. What is found is the caller's. NULL: nowhere else is looked. Not called for any other
     * message.
     */
    bool (*certificates_elsewhere)(void *ctx, unsigned round, STACK_OF(X509) **found_r,
                                   struct sg_error *err);
    void *ctx;
    struct sg_spool_limits spool;   /* for what is decrypted */
    struct sg_spool_sum *taken_out; /* of all its layers; NULL: not counted; outlives the opened */
    struct sg_budget *budget;       /* CPU time; what is beyond it is UNSUPPORTED; NULL: any */
    struct sg_header_limits headers;
    int max_layers;       /* 8 */
    size_t max_cms_bytes; /* of a CMS structure without its content: 1 MiB */
    /* Of one SignedData: 64 and 16; keys that one envelope may have us try: 16, each an operation
     * of the HSM's. */
    size_t max_certificates, max_signers, max_tries;
    size_t max_elements; /* (X.690) of each certificate, taken together: 256 */
};

struct sg_smime_opened {
    struct sg_smime_layer *layers; /* from the outside in */
    size_t layer_count;
    /*
     * The innermost entity that was reached: header fields and body. body points to the spool given
     * to sg_smime_open(), or where something was decrypted to one of this struct. Where a layer was
     * taken off, it is what SMTP carries: all line ends are CRLF (RFC 8551 §3.1.1), and octets that
     * say that they are binary are in base64. Where a part among others is binary nothing is opened
     * (changed is false), and the outermost layer is UNSUPPORTED.
     */
    struct sg_header_block headers;
    const struct sg_spool *body;
    uint64_t offset, len;
    bool changed; /* at least one layer was taken off */
    void *owned;
};

/*
 * Takes off the layers that are ours: envelopes to our certificates and signatures of domains.
 * false only for temporary errors (hsmd away: nothing is known); whatever the message itself did is
 * a result in the layers. A layer that fails is the last one. Nothing of the content may be
 * released before the caller has judged the layers.
 */
SG_MUST_USE bool sg_smime_open(struct sg_arena *arena, const struct sg_header_block *headers,
                               const struct sg_spool *body, uint64_t offset, uint64_t len,
                               const struct sg_smime_options *options,
                               struct sg_smime_opened *opened_r, struct sg_error *err);
void sg_smime_opened_free(struct sg_smime_opened *opened);

/* What a CMS object is, by what stands in it and not by its label. Nothing of it is checked. */
enum sg_smime_object {
    SG_SMIME_OBJECT_OTHER,
    SG_SMIME_OBJECT_ENCRYPTED, /* EnvelopedData, AuthEnvelopedData */
    SG_SMIME_OBJECT_SIGNED     /* SignedData; what it has of content went to the sink */
};
/* false: it is malformed, or larger without its content than max_cms_bytes; what came of the
 * content before that went to the sink too. Only for looking at what a reader could see. */
SG_MUST_USE bool sg_smime_look(const struct sg_spool *cms, size_t max_cms_bytes,
                               const struct sg_sink *content, enum sg_smime_object *object_r,
                               struct sg_error *err);

/* Is this entity an S/MIME message at all (application/pkcs7-mime, x-pkcs7-mime, multipart/signed
 * with a pkcs7 protocol, or .p7m, .p7s, .p7c, .p7z as octet-stream)? */
bool sg_smime_is(struct sg_arena *arena, const struct sg_header_block *headers);

/* Whether some readers may see another type, other parts or another encoding in that header than we
 * do. What stands beside the content of a signature that was left on is covered by nothing, and is
 * rendered by nobody only while all agree on that (and while it is nothing: `alone` above). */
bool sg_smime_is_ambiguous(struct sg_arena *arena, const struct sg_header_block *headers);

#endif
