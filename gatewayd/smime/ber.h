/*
 * BER (X.690) of foreign data, with limits: a cursor over memory and a reader over a stream. Both
 * take definite and indefinite lengths and strings in pieces; neither nests deeper than
 * SG_BER_DEPTH.
 */
#ifndef SG_SMIME_BER_H
#define SG_SMIME_BER_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/error.h"
#include "smime/source.h"

#define SG_BER_DEPTH 16

enum {
    SG_BER_INTEGER = 0x02,
    SG_BER_BITS = 0x03,
    SG_BER_OCTETS = 0x04,
    SG_BER_NULL = 0x05,
    SG_BER_OID = 0x06,
    SG_BER_SEQUENCE = 0x30,
    SG_BER_SET = 0x31,
    SG_BER_CONSTRUCTED = 0x20,
    SG_BER_CONTEXT = 0x80 /* | number, | SG_BER_CONSTRUCTED */
};
#define SG_BER_EXPLICIT(n) (SG_BER_CONTEXT | SG_BER_CONSTRUCTED | (n))

/* In memory ------------------------------------------------------------------------------------ */

struct sg_ber {
    const uint8_t *p, *end;
};
struct sg_tlv {
    int tag;
    struct sg_bytes content, whole; /* content without the end marker of an indefinite length */
};

static inline struct sg_ber sg_ber_of(struct sg_bytes b)
{
    return (struct sg_ber){b.data, b.len ? b.data + b.len : b.data};
}
static inline bool sg_ber_more(const struct sg_ber *ber)
{
    return ber->p < ber->end;
}
/* Tag of the next element, -1 at the end. */
static inline int sg_ber_peek(const struct sg_ber *ber)
{
    return ber->p < ber->end ? *ber->p : -1;
}
/* The next element; false where there is none that is well formed. */
bool sg_ber_next(struct sg_ber *ber, struct sg_tlv *tlv_r);
/* The next one, which must have this tag. */
bool sg_ber_expect(struct sg_ber *ber, int tag, struct sg_tlv *tlv_r);
/* Appends the octets of a string, whose primitive tag is given, put together from its pieces. */
bool sg_ber_octets(const struct sg_tlv *tlv, int tag, struct sg_buf *out);
/* Appends the element in DER as far as lengths and pieces go; the order of sets stays. first_tag
 * replaces the outermost tag. */
bool sg_ber_to_der(const struct sg_tlv *tlv, int first_tag, struct sg_buf *out);

/* From a stream -------------------------------------------------------------------------------- */

struct sg_ber_stream {
    struct sg_source *source;
    uint64_t pos;
    size_t budget; /* octets that may still be taken or skipped as structure */
    struct {
        uint64_t end;
        bool indefinite;
    } open[SG_BER_DEPTH + 1];
    int depth;
    /* The header that was read and not used yet. */
    bool have;
    int tag;
    uint64_t len;
    bool indefinite;
    uint8_t head[10];
    size_t head_len;
};

void sg_ber_stream_begin(struct sg_ber_stream *s, struct sg_source *source, size_t budget);
/* Tag of the next element of the one that is open; -1 at its end. */
SG_MUST_USE bool sg_ber_stream_peek(struct sg_ber_stream *s, int *tag_r, struct sg_error *err);
/* Opens the next element, which must have this constructed tag; what follows is inside it. */
SG_MUST_USE bool sg_ber_stream_enter(struct sg_ber_stream *s, int tag, struct sg_error *err);
/* Closes it; it must be at its end. */
SG_MUST_USE bool sg_ber_stream_leave(struct sg_ber_stream *s, struct sg_error *err);
/* Appends the next element as it is, which must have this tag; out NULL skips it. */
SG_MUST_USE bool sg_ber_stream_take(struct sg_ber_stream *s, int tag, struct sg_buf *out,
                                    struct sg_error *err);
/* The octets of a string of any size, whose primitive tag is given, into a sink. */
SG_MUST_USE bool sg_ber_stream_octets(struct sg_ber_stream *s, int tag, const struct sg_sink *sink,
                                      struct sg_error *err);

#endif
