#include "trigger/transfer.h"

#include "mime/digits.h"
#include "mime/lex.h"

#include <ctype.h>

enum sg_transfer sg_transfer_named(struct sg_bytes value)
{
    static const struct {
        const char *name;
        enum sg_transfer transfer;
    } names[] = {
        {"7bit", SG_TRANSFER_IDENTITY},   {"8bit", SG_TRANSFER_IDENTITY},
        {"binary", SG_TRANSFER_IDENTITY}, {"quoted-printable", SG_TRANSFER_QUOTED},
        {"base64", SG_TRANSFER_BASE64},   {"x-uuencode", SG_TRANSFER_UUENCODE},
        {"x-uue", SG_TRANSFER_UUENCODE},  {"uuencode", SG_TRANSFER_UUENCODE},
        {"uue", SG_TRANSFER_UUENCODE},    {"7-bit", SG_TRANSFER_IDENTITY},
        {"8-bit", SG_TRANSFER_IDENTITY},
    };
    struct sg_lex lex = sg_lex_of(value);
    (void)sg_lex_skip(&lex);
    while (sg_lex_take(&lex, '"')) {
    }
    const uint8_t *start = lex.p;
    while (lex.p < lex.end && (isalnum(*lex.p) || *lex.p == '-'))
        lex.p++;
    struct sg_bytes name = sg_bytes_of(start, (size_t)(lex.p - start));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sg_bytes_iequal(name, names[i].name))
            return names[i].transfer;
    return SG_TRANSFER_UNKNOWN;
}

/* base64 --------------------------------------------------------------------------------------- */

enum { SPACE = 64, PAD = 65, FOREIGN = 66 };

static int base64_value(uint8_t c)
{
    int digit = sg_base64_digit(c);
    return digit >= 0                             ? digit
           : c == '='                             ? PAD
           : c == ' ' || (c >= '\t' && c <= '\r') ? SPACE
                                                  : FOREIGN;
}

static uint8_t base64_values[256];

__attribute__((constructor)) static void base64_values_fill(void)
{
    for (unsigned c = 0; c < 256; c++)
        base64_values[c] = (uint8_t)base64_value((uint8_t)c);
}

/* The octets of a group that is not full. */
static size_t base64_flush(struct sg_transfer_decoder *d, uint8_t *out)
{
    size_t n = 0;
    if (d->count >= 2)
        out[n++] = (uint8_t)(d->bits >> (d->count == 2 ? 4 : 10));
    if (d->count == 3)
        out[n++] = (uint8_t)(d->bits >> 2);
    d->count = 0;
    d->bits = 0;
    return n;
}

static size_t base64_decode(struct sg_transfer_decoder *d, const uint8_t *in, size_t len,
                            uint8_t *out)
{
    uint8_t *o = out;
    for (const uint8_t *p = in, *end = in + len; p < end; p++) {
        uint8_t v = base64_values[*p];
        if (v < 64) {
            /* Behind padding a new text begins: some readers go on there. A '=' out of place they
             * pass over. */
            d->broken |= d->pads != 0;
            d->pads = 0;
            d->bits = d->bits << 6 | v;
            if (++d->count == 4) {
                *o++ = (uint8_t)(d->bits >> 16);
                *o++ = (uint8_t)(d->bits >> 8);
                *o++ = (uint8_t)d->bits;
                d->count = 0;
                d->bits = 0;
            }
        } else if (v == PAD) {
            d->pads += d->pads < 4;
            d->broken |= d->count == 1;
            if (d->count >= 2 && d->count + d->pads >= 4)
                o += base64_flush(d, o);
        } else if (v == FOREIGN) {
            d->broken = true;
        }
    }
    return (size_t)(o - out);
}

/* quoted-printable ----------------------------------------------------------------------------- */

static uint8_t *held_give(struct sg_transfer_decoder *d, uint8_t *o)
{
    for (int i = 0; i < d->held_len; i++)
        *o++ = d->held[i];
    d->held_len = 0;
    d->blank = false;
    return o;
}

/* One octet behind a '='. */
static uint8_t *quoted_octet(struct sg_transfer_decoder *d, uint8_t c, uint8_t *o)
{
    if (c == '\n' || c == '\r') { /* soft line break; to some a CR alone is one */
        if (d->held_len == 2)
            o = held_give(d, o);
        d->held_len = 0;
        d->blank = false;
        d->skip_lf = c == '\r';
    } else if (d->held_len == 1 && (c == ' ' || c == '\t')) {
        d->blank = true;
    } else if (d->held_len == 1 && !d->blank && sg_hex_digit(c) >= 0) {
        d->held[d->held_len++] = c;
    } else if (d->held_len == 2 && sg_hex_digit(c) >= 0) {
        *o++ = (uint8_t)(sg_hex_digit(d->held[1]) << 4 | sg_hex_digit(c));
        d->held_len = 0;
    } else { /* no escape after all: it stands for itself */
        o = held_give(d, o);
        if (c == '=')
            d->held[d->held_len++] = c;
        else
            *o++ = c;
    }
    return o;
}

static size_t quoted_decode(struct sg_transfer_decoder *d, const uint8_t *in, size_t len,
                            uint8_t *out)
{
    uint8_t *o = out;
    const uint8_t *p = in, *end = in + len;
    while (p < end) {
        if (d->held_len) {
            o = quoted_octet(d, *p++, o);
            continue;
        }
        p += d->skip_lf && *p == '\n';
        d->skip_lf = false;
        const uint8_t *eq = memchr(p, '=', (size_t)(end - p));
        size_t run = (size_t)((eq ? eq : end) - p);
        memcpy(o, p, run);
        o += run;
        p += run;
        if (eq) {
            d->held[d->held_len++] = '=';
            p++;
        }
    }
    return (size_t)(o - out);
}

/* uuencode ------------------------------------------------------------------------------------- */

static size_t uu_line(struct sg_transfer_decoder *d, uint8_t *out)
{
    size_t n = 0;
    const uint8_t *l = d->line;
    size_t len = d->line_len;
    if (len && l[len - 1] == '\r')
        len--;
    if (d->uu != UU_LINE) {
        if (len > 6 && memcmp(l, "begin ", 6) == 0)
            d->uu = UU_LINE;
        return 0;
    }
    if (len == 3 && memcmp(l, "end", 3) == 0) {
        d->uu = UU_AFTER;
        return 0;
    }
    if (len == 0)
        return 0;
    size_t want = (l[0] - 32u) & 63;
    for (size_t i = 1; i < len && n < want; i += 4) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 4; k++)
            bits = bits << 6 | (k < len ? (l[k] - 32u) & 63 : 0);
        for (int shift = 16; shift >= 0 && n < want; shift -= 8)
            out[n++] = (uint8_t)(bits >> shift);
    }
    return n;
}

static size_t uu_decode(struct sg_transfer_decoder *d, const uint8_t *in, size_t len, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (in[i] == '\n') {
            n += uu_line(d, out + n);
            d->line_len = 0;
        } else if (d->line_len < sizeof d->line) {
            d->line[d->line_len++] = in[i];
        } else {
            d->broken |= d->uu == UU_LINE;
        }
    }
    return n;
}

/* ---------------------------------------------------------------------------------------------- */

size_t sg_transfer_decode(struct sg_transfer_decoder *d, const uint8_t *in, size_t len,
                          uint8_t *out)
{
    switch (d->kind) {
    case SG_TRANSFER_QUOTED:
        return quoted_decode(d, in, len, out);
    case SG_TRANSFER_BASE64:
        return base64_decode(d, in, len, out);
    case SG_TRANSFER_UUENCODE:
        return uu_decode(d, in, len, out);
    default:
        memcpy(out, in, len);
        return len;
    }
}

size_t sg_transfer_end(struct sg_transfer_decoder *d, uint8_t *out)
{
    if (d->kind == SG_TRANSFER_QUOTED)
        return (size_t)(held_give(d, out) - out);
    if (d->kind == SG_TRANSFER_BASE64) {
        d->broken |= d->count == 1;
        return base64_flush(d, out);
    }
    size_t n = d->kind == SG_TRANSFER_UUENCODE ? uu_line(d, out) : 0; /* at most 63 octets */
    d->broken |= d->kind == SG_TRANSFER_UUENCODE && d->uu == UU_BEFORE;
    return n;
}
