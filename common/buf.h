/*
 * A growing byte buffer with a limit. data is followed by a NUL (not counted) once anything was
 * appended. Out of memory aborts; the limit is the caller's protection.
 */
#ifndef SG_COMMON_BUF_H
#define SG_COMMON_BUF_H

#include "common/bytes.h"
#include "common/error.h"

struct sg_buf {
    uint8_t *data;
    size_t len, cap;
    size_t limit;   /* bytes; 0: none */
    bool overflown; /* an append would have passed the limit: nothing of it was kept */
};

void sg_buf_init(struct sg_buf *buf, size_t limit);
void sg_buf_free(struct sg_buf *buf);
/* Empties, keeps the memory. */
void sg_buf_clear(struct sg_buf *buf);

/* Appending past the limit sets overflown and returns false; callers may check once at the end. */
bool sg_buf_add(struct sg_buf *buf, const void *data, size_t len);
bool sg_buf_adds(struct sg_buf *buf, const char *s);
bool sg_buf_addf(struct sg_buf *buf, const char *fmt, ...) SG_PRINTF(2, 3);
/* Length of the well-formed UTF-8 sequence that s, not empty, begins with; 0 where there is none
 * (RFC 3629). */
size_t sg_utf8_length(struct sg_bytes s);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
bool sg_buf_add_json_string(struct sg_buf *buf, struct sg_bytes s);

static inline struct sg_bytes sg_buf_bytes(const struct sg_buf *buf)
{
    return sg_bytes_of(buf->data, buf->len);
}
#define SG_AUTO_BUF __attribute__((cleanup(sg_buf_free))) struct sg_buf

#endif
