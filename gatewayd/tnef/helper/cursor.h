/* A place in bytes; numbers are little-endian (MS-OXTNEF 2.1). Takes nothing beyond the end. */
#ifndef SG_TNEFREADER_CURSOR_H
#define SG_TNEFREADER_CURSOR_H

#include "common/bytes.h"

static inline bool cursor_bytes(struct sg_bytes *at, size_t len, struct sg_bytes *bytes_r)
{
    if (at->len < len)
        return false;
    *bytes_r = sg_bytes_of(at->data, len);
    *at = sg_bytes_of(at->data + len, at->len - len);
    return true;
}

static inline bool cursor_u16(struct sg_bytes *at, uint16_t *n_r)
{
    struct sg_bytes b;
    if (!cursor_bytes(at, 2, &b))
        return false;
    *n_r = (uint16_t)(b.data[0] | b.data[1] << 8);
    return true;
}

static inline bool cursor_u32(struct sg_bytes *at, uint32_t *n_r)
{
    struct sg_bytes b;
    if (!cursor_bytes(at, 4, &b))
        return false;
    *n_r = b.data[0] | (uint32_t)b.data[1] << 8 | (uint32_t)b.data[2] << 16 |
           (uint32_t)b.data[3] << 24;
    return true;
}

#endif
