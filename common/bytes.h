/*
 * Views: a pointer and a length into memory that somebody else owns. Wire data travels as views
 * and never as C strings until it has been validated.
 */
#ifndef SG_COMMON_BYTES_H
#define SG_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct sg_bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct sg_bytes sg_bytes_of(const void *data, size_t len)
{
    return (struct sg_bytes){(const uint8_t *)data, len};
}

/* Of a C string, without its NUL. NULL gives an empty view. */
static inline struct sg_bytes sg_bytes_str(const char *s)
{
    return (struct sg_bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool sg_bytes_equal(struct sg_bytes a, struct sg_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII case-insensitively equal to a C string. */
static inline bool sg_bytes_iequal(struct sg_bytes a, const char *s)
{
    return a.len == strlen(s) && (a.len == 0 || strncasecmp((const char *)a.data, s, a.len) == 0);
}

static inline bool sg_bytes_starts(struct sg_bytes a, const char *s)
{
    size_t n = strlen(s);
    return a.len >= n && memcmp(a.data, s, n) == 0;
}

/* Part of a view; what lies beyond its end is cut off. */
static inline struct sg_bytes sg_bytes_slice(struct sg_bytes a, size_t from, size_t len)
{
    if (from > a.len)
        from = a.len;
    if (len > a.len - from)
        len = a.len - from;
    return (struct sg_bytes){a.data + from, len};
}

/* out: 2 × len digits and a NUL. */
static inline void sg_hex_lower(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = 0;
}

#endif
