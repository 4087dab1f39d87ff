/* What the files of this folder share. */
#ifndef SG_SMIME_INTERNAL_H
#define SG_SMIME_INTERNAL_H

#include "smime/algorithm.h"
#include "smime/ber.h"
#include "smime/smime.h"
#include "smime/source.h"

#define SG_SMIME_MAX_LISTS         16
#define SG_SMIME_MAX_NAMESAKES     4 /* certificates of one name that a signature is tried with */
#define SG_SMIME_RSA_BITS_MIN      1024
#define SG_SMIME_RSA_BITS_MAX      8192
#define SG_SMIME_EXPONENT_BITS_MAX 64

/* IssuerAndSerialNumber of a certificate, in DER. */
SG_MUST_USE bool sg_smime_issuer_and_serial(struct sg_buf *out, const X509 *certificate,
                                            struct sg_error *err);

/* Appends the RecipientInfo that carries a content-encryption key to one recipient. */
SG_MUST_USE bool sg_smime_recipient_add(struct sg_buf *out,
                                        const struct sg_smime_recipient *recipient,
                                        struct sg_bytes cek, struct sg_error *err);

/* AlgorithmIdentifier of RSAES-OAEP with SHA-256 and MGF1 of the same (RFC 4055 §4.1). */
void sg_smime_oaep_add(struct sg_buf *out);

/* AlgorithmIdentifier: the next element of in. params_r is an element as it came, or empty. */
bool sg_smime_algorithm_read(struct sg_ber *in, struct sg_bytes *oid_r, struct sg_bytes *params_r);

/* KeyAgreeRecipientInfo (RFC 5753 §3.1), ephemeral-static: to a key on a curve of ours. */
SG_MUST_USE bool sg_smime_agreement_add(struct sg_buf *out, X509 *certificate,
                                        const struct sg_curve *curve, struct sg_bytes cek,
                                        struct sg_error *err);
struct sg_smime_agreement {
    struct sg_bytes point; /* of the originator; empty: its key is not in the message */
    const char *digest;    /* of the KDF; NULL: an agreement that we do not do */
    const char *wrap;      /* NULL: a key wrap that we do not do */
    struct sg_buf info;    /* ECC-CMS-SharedInfo */
    struct sg_bytes keys;  /* SEQUENCE OF RecipientEncryptedKey, its content */
};
/* false: it is malformed. What was read is freed by the caller either way. */
bool sg_smime_agreement_read(const struct sg_tlv *info, struct sg_smime_agreement *agreement_r);
void sg_smime_agreement_free(struct sg_smime_agreement *agreement);
/* The next RecipientEncryptedKey; its identifier in the form that sg_smime_names() takes. */
bool sg_smime_agreement_next(struct sg_ber *keys, struct sg_tlv *identifier_r,
                             struct sg_tlv *encrypted_r);

/*
 * Does a SignerIdentifier or RecipientIdentifier (IssuerAndSerialNumber, or [0] with the subject
 * key identifier) name this certificate?
 */
bool sg_smime_names(const struct sg_tlv *identifier, const X509 *certificate);

/* Opening. Internal functions tell by the error's code what was wrong with the message:
 * SG_E_CMS, SG_E_MIME, SG_E_CMS_UNSUPPORTED, SG_E_LIMIT, SG_E_CMS_NOT_FOR_US, SG_E_CMS_DECRYPT;
 * any other code is our own trouble and temporary. */

enum sg_smime_form { SG_SMIME_FORM_NONE, SG_SMIME_FORM_DETACHED, SG_SMIME_FORM_CMS };
enum sg_smime_form sg_smime_classify(struct sg_arena *arena, const struct sg_header_block *headers,
                                     const char **boundary_r);

/* Does a header say that its body is the signature of a multipart/signed? */
bool sg_smime_is_signature_part(struct sg_arena *arena, const struct sg_header_block *headers);
/* … that its body is in no encoding and may be anything? */
bool sg_smime_is_binary(struct sg_arena *arena, const struct sg_header_block *headers);
/* … that its body has parts, or is a message: what may not be encoded (RFC 2045 §6.4)? */
bool sg_smime_is_composite(struct sg_arena *arena, const struct sg_header_block *headers);
/* A CR alone would begin a new field for some readers and not for others. */
bool sg_smime_has_bare_cr(const struct sg_header_block *headers);

/* The parts of a multipart/signed, as ranges of its spool. */
struct sg_smime_parts {
    uint64_t preamble_end;         /* where the first delimiter begins */
    uint64_t content, content_end; /* without the line end before the delimiter */
    uint64_t signature, signature_end;
    uint64_t behind; /* the last delimiter */
};
SG_MUST_USE bool sg_smime_parts_find(const struct sg_spool *spool, uint64_t from, uint64_t end,
                                     const char *boundary, struct sg_smime_parts *parts_r,
                                     struct sg_error *err);

/* Is there nothing in a multipart/signed, from..end, that any reader would render, beside its
 * content? Its second part's header is given, and the source that its signature was read from. */
SG_MUST_USE bool sg_smime_parts_alone(struct sg_arena *arena, struct sg_source *source,
                                      uint64_t from, uint64_t end,
                                      const struct sg_smime_parts *parts,
                                      const struct sg_header_block *signature, bool *alone_r,
                                      struct sg_error *err);
/* … nor in an entity, up to end, beside the CMS object that was read from it? */
SG_MUST_USE bool sg_smime_object_alone(struct sg_arena *arena, struct sg_source *source,
                                       const struct sg_header_block *headers, uint64_t end,
                                       bool *alone_r, struct sg_error *err);

/* Whether SMTP carries an entity as it is. */
struct sg_smime_carried {
    bool lines;  /* no CR or LF alone */
    bool octets; /* … no NUL, and no line beyond 998 octets */
};
SG_MUST_USE bool sg_smime_carried_look(const struct sg_spool *spool, uint64_t from, uint64_t end,
                                       struct sg_smime_carried *carried_r, struct sg_error *err);
/* Bare CR and LF become CRLF. */
SG_MUST_USE bool sg_smime_lines_mend(const struct sg_spool *spool, uint64_t from, uint64_t end,
                                     struct sg_spool *to, struct sg_error *err);
/* The entity whose headers these are, its body in base64. */
SG_MUST_USE bool sg_smime_encode(const struct sg_header_block *headers,
                                 const struct sg_spool *spool, uint64_t end, struct sg_spool *to,
                                 struct sg_error *err);
/* Does any line from..end, as one of a part's header would, say that what follows is binary? */
SG_MUST_USE bool sg_smime_binary_within(const struct sg_spool *spool, uint64_t from, uint64_t end,
                                        bool *found_r, struct sg_error *err);

/* Begins a ContentInfo (RFC 5652 §3): its type, and the reader stands before its content. */
SG_MUST_USE bool sg_smime_content_info(struct sg_ber_stream *ber, struct sg_buf *type_r,
                                       struct sg_error *err);

/* SignedData without its content. The buffers hold elements as they came. */
struct sg_smime_signed {
    struct sg_buf content_type; /* content of the OBJECT IDENTIFIER */
    struct sg_buf certificates; /* [0], or empty */
    struct sg_buf lists;        /* [1], or empty */
    struct sg_buf signer_infos; /* the SET */
    bool has_content;
};
void sg_smime_signed_init(struct sg_smime_signed *sd);
void sg_smime_signed_free(struct sg_smime_signed *sd);
/* Reads it from where its SEQUENCE begins; the content goes to a sink (NULL: there must be none).
 */
SG_MUST_USE bool sg_smime_signed_read(struct sg_ber_stream *ber, const struct sg_sink *content,
                                      struct sg_smime_signed *sd, struct sg_error *err);
/*
 * Checks every signer over the range of a spool that was signed and fills the layer: certificates,
 * signers, result. detached: bare line ends may have been signed as CRLF. elsewhere: certificates
 * that are missing are looked for.
 */
SG_MUST_USE bool sg_smime_signed_verify(struct sg_arena *arena, const struct sg_smime_signed *sd,
                                        const struct sg_smime_options *options, bool elsewhere,
                                        const struct sg_spool *spool, uint64_t from, uint64_t end,
                                        bool detached, struct sg_smime_layer *layer,
                                        struct sg_error *err);
/* Certificates (or nothing at all), without content and without signers? */
bool sg_smime_signed_is_bare(const struct sg_smime_signed *sd);
/* One SignerInfo, given how the content hashes; fills info. */
struct sg_smime_hash {
    const struct sg_digest_algorithm *algorithm;
    uint8_t raw[EVP_MAX_MD_SIZE], canonical[EVP_MAX_MD_SIZE];
    size_t len;
};
void sg_smime_signer_check(struct sg_arena *arena, const struct sg_tlv *signer_info,
                           struct sg_bytes content_type, const struct sg_smime_hash *hashes,
                           size_t hash_count, bool canonical, STACK_OF(X509) *certificates,
                           struct sg_smime_signer_info *info);
/* The digest algorithm that a SignerInfo names; NULL where it is none of ours. */
const struct sg_digest_algorithm *sg_smime_signer_digest(const struct sg_tlv *signer_info);

/* Reads an EnvelopedData or AuthEnvelopedData from where its SEQUENCE begins, opens it and writes
 * what was in it to a sink. Nothing of it may be used unless this returns true. */
SG_MUST_USE bool sg_smime_enveloped_open(struct sg_ber_stream *ber, bool authenticated,
                                         const struct sg_smime_options *options,
                                         const struct sg_sink *plain, struct sg_smime_layer *layer,
                                         struct sg_error *err);

/* Fails as every message does that cannot be decrypted, whatever the cause. */
bool sg_smime_fail_decrypt(struct sg_error *err);

#endif
