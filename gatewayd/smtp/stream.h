/*
 * Within the folder: one connection with buffers for both ways, plain or under TLS. Output waits
 * until it is flushed or input is needed, so that replies to pipelined commands go out together
 * (RFC 2920).
 */
#ifndef SG_SMTP_STREAM_H
#define SG_SMTP_STREAM_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/deadline.h"
#include "common/error.h"

#include <openssl/types.h>

#define SMTP_STREAM_INPUT 16384

struct smtp_stream {
    int fd;   /* owned by the caller */
    SSL *ssl; /* owned by the stream */
    size_t from, to;
    struct sg_buf out;
    uint8_t in[SMTP_STREAM_INPUT];
};

void smtp_stream_init(struct smtp_stream *stream, int fd);
void smtp_stream_free(struct smtp_stream *stream);

/* What was read and not yet consumed. */
static inline struct sg_bytes smtp_stream_input(const struct smtp_stream *stream)
{
    return sg_bytes_of(stream->in + stream->from, stream->to - stream->from);
}
static inline void smtp_stream_consume(struct smtp_stream *stream, size_t n)
{
    stream->from += n;
}

/* Is there input already, be it unread? Its first octet, without waiting for any; -1: there is
 * none. */
int smtp_stream_peek(struct smtp_stream *stream);

SG_MUST_USE bool smtp_stream_flush(struct smtp_stream *stream, sg_deadline deadline,
                                   struct sg_error *err);
/* Flushes, then waits for input, of which there must be none left. *end_r: the peer is gone. */
SG_MUST_USE bool smtp_stream_fill(struct smtp_stream *stream, bool *end_r, sg_deadline deadline,
                                  struct sg_error *err);

enum smtp_line_kind {
    SMTP_LINE_CRLF,
    SMTP_LINE_BARE_LF,  /* ended by LF alone */
    SMTP_LINE_TOO_LONG, /* read to its end, not kept */
    SMTP_LINE_END       /* the peer is gone; what it had begun does not count */
};
/* Reads a line into line, without its end; line->limit bounds it with its end. */
SG_MUST_USE bool smtp_stream_line(struct smtp_stream *stream, struct sg_buf *line,
                                  enum smtp_line_kind *kind_r, sg_deadline deadline,
                                  struct sg_error *err);

#endif
