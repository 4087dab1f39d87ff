/*
 * The protocol between hsmd and its clients, version 2, over a Unix stream socket.
 *
 * A frame is a 32-bit length of what follows and a body; integers are big-endian. The client sends
 * a request and reads its reply; one request at a time on a connection.
 *
 * Request: u8 version (2) | u8 operation | u8 class | u8 kind | u8 scheme | u8 digest | u8 mask |
 *          u8 wrap | u16 number | text id | text tenant | text domain | text binding | data blob |
 *          data input
 * Reply:   u8 version (2) | u8 library | u16 error code | u32 library code | data first |
 *          data second
 *
 * text is a u8 length and as many octets without NUL, data a u16 length and as many octets. Fields
 * that an operation does not use are zero or empty; anything else in them is refused, and so is
 * what stands behind the last field. In an error reply `first` is one line in words.
 *
 *   operation   number     input                       first            second
 *   generate    bits                                   SPKI             bound blob (wrapped keys)
 *   sign                   digest                      signature
 *   decrypt     octets     encrypted key, agreement    key
 *   csr                    CertificationRequestInfo    CertificationRequest
 *   public                                             SPKI
 *   make                                               data key         wrapped data key
 *   open                   wrapped data key            data key
 *   destroy
 *   health                                             counters, one line of text
 *
 * agreement, the input of decrypt by ECDH: data point | data shared info | data wrapped key.
 */
#ifndef SG_HSMCLIENT_PROTOCOL_H
#define SG_HSMCLIENT_PROTOCOL_H

#include "common/deadline.h"
#include "hsmclient/client.h"

#define SG_HSM_VERSION       2
#define SG_HSM_FRAME_MAX     16384 /* bytes of a body, either way */
#define SG_HSM_TEXT_MAX      32    /* of id, tenant, domain */
#define SG_HSM_BINDING_MAX   128
#define SG_HSM_BLOB_MAX      4096
#define SG_HSM_INPUT_MAX     8192
#define SG_HSM_DATA_KEY      32
#define SG_HSM_AGREEMENT_MAX (6 + SG_HSM_POINT_MAX + SG_HSM_INFO_MAX + SG_HSM_WRAPPED_MAX)
#define SG_HSM_FIRST_MAX     9216
#define SG_HSM_SECOND_MAX    SG_HSM_BLOB_MAX

enum sg_hsm_op {
    SG_HSM_OP_HEALTH = 1,
    SG_HSM_OP_GENERATE,
    SG_HSM_OP_SIGN,
    SG_HSM_OP_DECRYPT,
    SG_HSM_OP_CSR,
    SG_HSM_OP_PUBLIC,
    SG_HSM_OP_MAKE,
    SG_HSM_OP_OPEN,
    SG_HSM_OP_DESTROY
};
#define SG_HSM_OPS     10 /* one more than the largest */
#define SG_HSM_CLASSES 6

/* All views lie in the frame that was decoded, or belong to whoever filled the request. */
struct sg_hsm_request {
    enum sg_hsm_op op;
    enum sg_hsm_class class;
    enum sg_hsm_kind kind;
    enum sg_hsm_scheme scheme;
    enum sg_hsm_digest digest, mask;
    enum sg_hsm_wrap wrap;
    unsigned number;
    struct sg_bytes id, tenant, domain, binding, blob, input;
};

struct sg_hsm_reply {
    struct sg_error error; /* code SG_OK: it worked */
    struct sg_bytes first, second;
};

const char *sg_hsm_op_name(enum sg_hsm_op op);          /* "sign"; NULL: no such */
const char *sg_hsm_class_name(enum sg_hsm_class class); /* "dca"; NULL: no such */
bool sg_hsm_op_parse(struct sg_bytes name, enum sg_hsm_op *op_r);
bool sg_hsm_class_parse(struct sg_bytes name, enum sg_hsm_class *class_r);
/* Whether the operation makes sense for keys of the class at all. */
bool sg_hsm_op_fits(enum sg_hsm_op op, enum sg_hsm_class class);
/* Octets of a digest, 0: no such. */
size_t sg_hsm_digest_size(enum sg_hsm_digest digest);

/* The input of a decryption by ECDH. */
struct sg_hsm_agreement {
    struct sg_bytes point, info, wrapped;
};
/* Into out of SG_HSM_AGREEMENT_MAX octets; returns its length, 0: it does not fit. */
size_t sg_hsm_agreement_encode(const struct sg_hsm_agreement *agreement, uint8_t *out);
/* Views into input. */
bool sg_hsm_agreement_decode(struct sg_bytes input, struct sg_hsm_agreement *agreement_r);

/* Into buf of SG_HSM_FRAME_MAX + 4 bytes, length in front. *len_r is of the whole frame. */
SG_MUST_USE bool sg_hsm_request_encode(const struct sg_hsm_request *request, uint8_t *buf,
                                       size_t *len_r, struct sg_error *err);
SG_MUST_USE bool sg_hsm_reply_encode(const struct sg_hsm_reply *reply, uint8_t *buf, size_t *len_r,
                                     struct sg_error *err);
/* From a body. SG_E_HSM_PROTOCOL: malformed, SG_E_USAGE: fields that do not fit the operation. */
SG_MUST_USE bool sg_hsm_request_decode(struct sg_bytes body, struct sg_hsm_request *request_r,
                                       struct sg_error *err);
SG_MUST_USE bool sg_hsm_reply_decode(struct sg_bytes body, struct sg_hsm_reply *reply_r,
                                     struct sg_error *err);
/*
 * Reads a frame into buf of SG_HSM_FRAME_MAX + 4 bytes, mostly by one call: nothing comes behind it
 * before it is answered, else it is SG_E_HSM_PROTOCOL. The body is a view of buf; empty: the peer
 * closed before a frame began.
 */
SG_MUST_USE bool sg_hsm_frame_read(int fd, uint8_t *buf, struct sg_bytes *body_r,
                                   sg_deadline deadline, struct sg_error *err);

#endif
