#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sg_buf_init(struct sg_buf *buf, size_t limit)
{
    memset(buf, 0, sizeof *buf);
    buf->limit = limit;
}

void sg_buf_free(struct sg_buf *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof *buf);
}

void sg_buf_clear(struct sg_buf *buf)
{
    buf->len = 0;
    buf->overflown = false;
}

static bool reserve(struct sg_buf *buf, size_t more)
{
    if (buf->limit && (more > buf->limit || buf->len > buf->limit - more)) {
        buf->overflown = true;
        return false;
    }
    size_t need;
    if (__builtin_add_overflow(buf->len, more + 1, &need))
        abort();
    if (need <= buf->cap)
        return true;
    if (need > SIZE_MAX / 2)
        abort();
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap < need)
        cap *= 2;
    buf->data = realloc(buf->data, cap);
    if (!buf->data)
        abort();
    buf->cap = cap;
    return true;
}

bool sg_buf_add(struct sg_buf *buf, const void *data, size_t len)
{
    if (!reserve(buf, len))
        return false;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = 0;
    return true;
}

bool sg_buf_adds(struct sg_buf *buf, const char *s)
{
    return sg_buf_add(buf, s, strlen(s));
}

bool sg_buf_addf(struct sg_buf *buf, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t room = buf->cap - buf->len; /* what fits is formatted once */
    int n = vsnprintf(room ? (char *)buf->data + buf->len : NULL, room, fmt, ap);
    va_end(ap);
    bool ok = n >= 0 && reserve(buf, (size_t)n);
    if (ok && (size_t)n >= room)
        vsnprintf((char *)buf->data + buf->len, (size_t)n + 1, fmt, again);
    va_end(again);
    if (ok)
        buf->len += (size_t)n;
    else if (room)
        buf->data[buf->len] = 0;
    return ok;
}

size_t sg_utf8_length(struct sg_bytes s)
{
    uint8_t c = s.data[0];
    size_t n = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;
    if (n == 0 || n > s.len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s.data[1] < 0xa0) || (c == 0xed && s.data[1] > 0x9f) ||
        (c == 0xf0 && s.data[1] < 0x90) || (c == 0xf4 && s.data[1] > 0x8f))
        return 0;
    return n;
}

/* How many octets from the begin on stand for themselves. */
static size_t json_plain(struct sg_bytes s)
{
    size_t n = 0;
    while (n < s.len && s.data[n] >= 0x20 && s.data[n] < 0x7f && s.data[n] != '"' &&
           s.data[n] != '\\')
        n++;
    return n;
}

bool sg_buf_add_json_string(struct sg_buf *buf, struct sg_bytes s)
{
    size_t before = buf->len;
    bool ok = sg_buf_add(buf, "\"", 1);
    while (ok && s.len) {
        uint8_t c = s.data[0];
        size_t plain = json_plain(s), n = plain ? plain : sg_utf8_length(s);
        if (n == 0) {
            ok = sg_buf_adds(buf, "\xef\xbf\xbd");
            n = 1;
        } else if (!plain && (c == '"' || c == '\\')) {
            ok = sg_buf_add(buf, (const char[]){'\\', (char)c}, 2);
        } else if (!plain && (c < 0x20 || c == 0x7f)) {
            ok = sg_buf_addf(buf, "\\u%04x", c);
        } else {
            ok = sg_buf_add(buf, s.data, n);
        }
        s = sg_bytes_slice(s, n, s.len);
    }
    ok = ok && sg_buf_add(buf, "\"", 1);
    if (!ok && buf->data) { /* all of it or nothing */
        buf->len = before;
        buf->data[before] = 0;
    }
    return ok;
}
