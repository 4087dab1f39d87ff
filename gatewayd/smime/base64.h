/*
 * Base64 (RFC 2045 §6.8) as a stream. OpenSSL's filter works line by line and costs more than the
 * RSA operation of a message; this one does not.
 */
#ifndef SG_SMIME_BASE64_H
#define SG_SMIME_BASE64_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/error.h"
#include "spool/spool.h"

#define SG_BASE64_LINE  57 /* octets to a line of 76 characters */
#define SG_BASE64_LINES 200

struct sg_base64_encoder {
    const struct sg_sink *out;
    uint8_t in[SG_BASE64_LINE]; /* what does not fill a line yet */
    size_t in_len;
    size_t text_len;
    uint8_t text[SG_BASE64_LINES * 78];
};

void sg_base64_encode_begin(struct sg_base64_encoder *e, const struct sg_sink *out);
SG_MUST_USE bool sg_base64_encode_write(struct sg_base64_encoder *e, const void *data, size_t len,
                                        struct sg_error *err);
/* Writes what is left, with the line end of the last line. */
SG_MUST_USE bool sg_base64_encode_end(struct sg_base64_encoder *e, struct sg_error *err);
/* All of it at once, as lines behind what out has. */
SG_MUST_USE bool sg_base64_encode(struct sg_bytes in, struct sg_buf *out, struct sg_error *err);
/* Octets and what of a spool lies from offset on, len of it, as lines into out. Keeps nothing. */
SG_MUST_USE bool sg_base64_encode_spool(struct sg_bytes front, const struct sg_spool *spool,
                                        uint64_t offset, uint64_t len, const struct sg_sink *out,
                                        struct sg_error *err);
/* Octets of text, line ends included, that len octets become. */
uint64_t sg_base64_text_size(uint64_t len);

struct sg_base64_decoder {
    uint32_t bits;
    int count;  /* characters in bits, 0 to 3 */
    bool ended; /* padding was seen: what follows is not ours */
    bool bad;   /* a character that has no place in it */
};

/*
 * Decodes len characters and returns how many octets that gave; out has room for len (it may begin
 * 8 octets before in, in the same memory). White space is skipped. Stops for good at padding
 * (ended) or a foreign character (bad): what stood before it is given out.
 */
size_t sg_base64_decode(struct sg_base64_decoder *d, const uint8_t *in, size_t len, uint8_t *out);
/* The octets of a last group without its padding, at most 2. */
size_t sg_base64_decode_end(struct sg_base64_decoder *d, uint8_t *out);

#endif
