#include "smime/base64.h"

#include <stdlib.h>
#ifdef __x86_64__
#include <tmmintrin.h>
#endif

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { SPACE = 64, PAD = 65, BAD = 255 };

/* clang-format off */
static const uint8_t value_of[256] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255,  64,  64, 255, 255,  64, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
     64, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,  62, 255, 255, 255,  63,
     52,  53,  54,  55,  56,  57,  58,  59,  60,  61, 255, 255, 255,  65, 255, 255,
    255,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25, 255, 255, 255, 255, 255,
    255,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};
/* clang-format on */

/*
 * Sixteen characters at a time where the processor can: W. Mula's way, by which a character is
 * found, and checked, by looking up halves of its octet (http://0x80.pl/articles/#base64).
 */
#ifdef __x86_64__
#define SG_SSSE3 __attribute__((target("ssse3")))

/* As long as there are sixteen octets to load, of which twelve count. */
SG_SSSE3 static size_t blocks_encode(uint8_t *t, const uint8_t *in, size_t len)
{
    const __m128i spread = _mm_set_epi8(10, 11, 9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1);
    const __m128i offsets = _mm_setr_epi8('a' - 26, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4,
                                          '+' - 62, '/' - 63, 'A', 0, 0);
    size_t done = 0;
    for (; len - done >= 16; done += 12, t += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(in + done));
        v = _mm_shuffle_epi8(v, spread);
        __m128i high = _mm_mulhi_epu16(_mm_and_si128(v, _mm_set1_epi32(0x0fc0fc00)),
                                       _mm_set1_epi32(0x04000040));
        __m128i low = _mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi32(0x003f03f0)),
                                      _mm_set1_epi32(0x01000010));
        v = _mm_or_si128(high, low); /* sixteen values of six bits */
        __m128i class = _mm_subs_epu8(v, _mm_set1_epi8(51));
        __m128i capital = _mm_cmpgt_epi8(_mm_set1_epi8(26), v);
        class = _mm_or_si128(class, _mm_and_si128(capital, _mm_set1_epi8(13)));
        v = _mm_add_epi8(v, _mm_shuffle_epi8(offsets, class));
        _mm_storeu_si128((__m128i *)t, v);
    }
    return done;
}

/* Stops at what is not of the alphabet. Stores sixteen octets, of which twelve count. */
SG_SSSE3 static const uint8_t *blocks_decode(const uint8_t *p, const uint8_t *end, uint8_t **out)
{
    const __m128i low_of = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                         0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m128i high_of = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10,
                                          0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m128i offsets = _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i pack = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m128i half = _mm_set1_epi8(0x0f);
    uint8_t *o = *out;
    for (; end - p >= 32; p += 16, o += 12) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        __m128i high = _mm_and_si128(_mm_srli_epi32(v, 4), half), low = _mm_and_si128(v, half);
        __m128i bad = _mm_and_si128(_mm_shuffle_epi8(low_of, low), _mm_shuffle_epi8(high_of, high));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(bad, _mm_setzero_si128())) != 0xffff)
            break;
        __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('/'));
        v = _mm_add_epi8(v, _mm_shuffle_epi8(offsets, _mm_add_epi8(slash, high)));
        v = _mm_maddubs_epi16(v, _mm_set1_epi32(0x01400140));
        v = _mm_madd_epi16(v, _mm_set1_epi32(0x00011000));
        _mm_storeu_si128((__m128i *)o, _mm_shuffle_epi8(v, pack));
    }
    *out = o;
    return p;
}

static bool has_blocks(void)
{
    return __builtin_cpu_supports("ssse3");
}
#else
static size_t blocks_encode(uint8_t *t, const uint8_t *in, size_t len)
{
    (void)t, (void)in, (void)len;
    return 0;
}

static const uint8_t *blocks_decode(const uint8_t *p, const uint8_t *end, uint8_t **out)
{
    (void)end, (void)out;
    return p;
}

static bool has_blocks(void)
{
    return false;
}
#endif

static uint8_t *group_encode(uint8_t *t, uint32_t bits)
{
    t[0] = (uint8_t)alphabet[bits >> 18 & 63];
    t[1] = (uint8_t)alphabet[bits >> 12 & 63];
    t[2] = (uint8_t)alphabet[bits >> 6 & 63];
    t[3] = (uint8_t)alphabet[bits & 63];
    return t + 4;
}

static uint8_t *line_encode(uint8_t *t, const uint8_t *in, size_t len)
{
    size_t i = has_blocks() ? blocks_encode(t, in, len) : 0;
    t += i / 3 * 4;
    for (; i + 3 <= len; i += 3)
        t = group_encode(t, (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2]);
    if (i < len) {
        bool two = len - i == 2;
        t = group_encode(t, (uint32_t)in[i] << 16 | (two ? (uint32_t)in[i + 1] << 8 : 0));
        t[-1] = '=';
        if (!two)
            t[-2] = '=';
    }
    *t++ = '\r';
    *t++ = '\n';
    return t;
}

void sg_base64_encode_begin(struct sg_base64_encoder *e, const struct sg_sink *out)
{
    e->out = out;
    e->in_len = e->text_len = 0;
}

static bool flush(struct sg_base64_encoder *e, struct sg_error *err)
{
    size_t n = e->text_len;
    e->text_len = 0;
    return n == 0 || sg_sink_write(e->out, e->text, n, err);
}

static bool line_write(struct sg_base64_encoder *e, const uint8_t *in, size_t len,
                       struct sg_error *err)
{
    if (e->text_len + 78 > sizeof e->text && !flush(e, err))
        return false;
    e->text_len = (size_t)(line_encode(e->text + e->text_len, in, len) - e->text);
    return true;
}

bool sg_base64_encode_write(struct sg_base64_encoder *e, const void *data, size_t len,
                            struct sg_error *err)
{
    const uint8_t *p = data;
    while (len) {
        if (e->in_len == 0 && len >= SG_BASE64_LINE) {
            if (!line_write(e, p, SG_BASE64_LINE, err))
                return false;
            p += SG_BASE64_LINE;
            len -= SG_BASE64_LINE;
            continue;
        }
        size_t n = SG_BASE64_LINE - e->in_len;
        n = n < len ? n : len;
        memcpy(e->in + e->in_len, p, n);
        e->in_len += n;
        p += n;
        len -= n;
        if (e->in_len == SG_BASE64_LINE) {
            e->in_len = 0;
            if (!line_write(e, e->in, SG_BASE64_LINE, err))
                return false;
        }
    }
    return true;
}

bool sg_base64_encode_end(struct sg_base64_encoder *e, struct sg_error *err)
{
    if (e->in_len && !line_write(e, e->in, e->in_len, err))
        return false;
    return flush(e, err);
}

static bool buf_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return sg_buf_add(ctx, data, len) || sg_fail(err, SG_E_LIMIT, "base64: too long");
}

bool sg_base64_encode(struct sg_bytes in, struct sg_buf *out, struct sg_error *err)
{
    const struct sg_sink sink = {buf_write, out};
    struct sg_base64_encoder *e = malloc(sizeof *e);
    if (!e)
        abort();
    sg_base64_encode_begin(e, &sink);
    bool ok = sg_base64_encode_write(e, in.data, in.len, err) && sg_base64_encode_end(e, err);
    free(e);
    return ok;
}

static bool encode_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return sg_base64_encode_write(ctx, data, len, err);
}

bool sg_base64_encode_spool(struct sg_bytes front, const struct sg_spool *spool, uint64_t offset,
                            uint64_t len, const struct sg_sink *out, struct sg_error *err)
{
    struct sg_base64_encoder *e = malloc(sizeof *e);
    if (!e)
        abort();
    const struct sg_sink sink = {encode_write, e};
    sg_base64_encode_begin(e, out);
    bool ok = sg_base64_encode_write(e, front.data, front.len, err) &&
              sg_spool_copy(spool, offset, len, &sink, err) && sg_base64_encode_end(e, err);
    explicit_bzero(e, sizeof *e);
    free(e);
    return ok;
}

uint64_t sg_base64_text_size(uint64_t len)
{
    return (len + 2) / 3 * 4 + (len + SG_BASE64_LINE - 1) / SG_BASE64_LINE * 2;
}

/* Whole groups of four characters without anything between them. */
static const uint8_t *groups_decode(const uint8_t *p, const uint8_t *end, uint8_t **out)
{
    if (has_blocks())
        p = blocks_decode(p, end, out);
    uint8_t *o = *out;
    for (; end - p >= 4; p += 4, o += 3) {
        uint8_t a = value_of[p[0]], b = value_of[p[1]], c = value_of[p[2]], d = value_of[p[3]];
        if ((a | b | c | d) & 0xc0)
            break;
        o[0] = (uint8_t)(a << 2 | b >> 4);
        o[1] = (uint8_t)(b << 4 | c >> 2);
        o[2] = (uint8_t)(c << 6 | d);
    }
    *out = o;
    return p;
}

size_t sg_base64_decode(struct sg_base64_decoder *d, const uint8_t *in, size_t len, uint8_t *out)
{
    const uint8_t *p = in, *end = in + len;
    uint8_t *o = out;
    while (p < end && !d->ended && !d->bad) {
        if (d->count == 0) {
            p = groups_decode(p, end, &o);
            if (p == end)
                break;
        }
        uint8_t v = value_of[*p++];
        if (v == SPACE)
            continue;
        if (v == PAD) {
            o += sg_base64_decode_end(d, o);
            d->ended = true;
        } else if (v == BAD) {
            d->bad = true;
        } else {
            d->bits = d->bits << 6 | v;
            if (++d->count == 4) {
                *o++ = (uint8_t)(d->bits >> 16);
                *o++ = (uint8_t)(d->bits >> 8);
                *o++ = (uint8_t)d->bits;
                d->count = 0;
            }
        }
    }
    return (size_t)(o - out);
}

size_t sg_base64_decode_end(struct sg_base64_decoder *d, uint8_t *out)
{
    int n = d->count;
    d->count = 0;
    if (n == 1)
        d->bad = true;
    if (n < 2)
        return 0;
    out[0] = (uint8_t)(d->bits >> (n == 2 ? 4 : 10));
    if (n == 3)
        out[1] = (uint8_t)(d->bits >> 2);
    return n == 2 ? 1 : 2;
}
