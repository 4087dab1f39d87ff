#include "rtf/rtf_internal.h"

#define REPLACEMENT 0xfffd

void sg_rtf_flush(struct sg_rtf *r, enum sg_rtf_view view)
{
    struct out *out = &r->out[view];
    if (out->len)
        r->sink(r->ctx, view, sg_bytes_of(out->data, out->len));
    out->len = 0;
}

static void put(struct sg_rtf *r, enum sg_rtf_view view, uint32_t c)
{
    struct out *out = &r->out[view];
    if (out->len > OUT_BYTES - 4)
        sg_rtf_flush(r, view);
    uint8_t *p = out->data + out->len;
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        out->len += 1;
    } else if (c < 0x800) {
        p[0] = (uint8_t)(0xc0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 0x3f));
        out->len += 2;
    } else if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c & 0x3f));
        out->len += 3;
    } else {
        p[0] = (uint8_t)(0xf0 | c >> 18);
        p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[3] = (uint8_t)(0x80 | (c & 0x3f));
        out->len += 4;
    }
}

static bool is_read(const struct sg_rtf *r)
{
    return r->now.destination <= HTML;
}

/* A whole character, to the views that the format around it wants. */
static void emit(struct sg_rtf *r, uint32_t c)
{
    const struct state *s = &r->now;
    uint32_t shown = (s->flags & (CAPS | SCAPS)) && c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
    if (!is_read(r))
        return;
    if (s->destination == HTML) {
        put(r, SG_RTF_HTML, c);
        return;
    }
    if (r->from_html && !(s->flags & NOT_HTML) && s->destination == TEXT)
        put(r, SG_RTF_HTML, c);
    if (s->destination == TEXT && !(s->flags & (HIDDEN | DELETED))) {
        put(r, SG_RTF_TEXT, shown);
        r->aside_apart = true;
        return;
    }
    if (r->aside_any && r->aside_apart)
        put(r, SG_RTF_ASIDE, '\n');
    r->aside_any = true;
    r->aside_apart = false;
    put(r, SG_RTF_ASIDE, shown);
}

/* What was begun and cannot be completed any more. */
void sg_rtf_break_off(struct sg_rtf *r)
{
    if (r->byte_count || r->high) {
        r->byte_count = 0;
        r->high = 0;
        emit(r, REPLACEMENT);
    }
}

void sg_rtf_character(struct sg_rtf *r, uint32_t c)
{
    if (!is_read(r))
        return;
    sg_rtf_break_off(r);
    if (c)
        emit(r, c);
}

/* A code unit of \u: UTF-16, or a whole character of those who do not keep to it. */
void sg_rtf_unicode(struct sg_rtf *r, int64_t n)
{
    uint32_t c = (uint32_t)(n < 0 ? n + 65536 : n);
    if (!is_read(r))
        return;
    if (n < -32768 || n > 0x10ffff)
        c = REPLACEMENT;
    if (c >= 0xdc00 && c < 0xe000 && r->high && !r->byte_count) {
        c = 0x10000 + ((r->high - 0xd800) << 10) + (c - 0xdc00);
        r->high = 0;
    } else if (c >= 0xd800 && c < 0xe000) {
        sg_rtf_break_off(r);
        r->high = c;
        if (c >= 0xdc00)
            sg_rtf_break_off(r);
        return;
    } else if (c >= 0xf020 && c < 0xf100) {
        c &= 0xff; /* of a symbol font */
    }
    sg_rtf_character(r, c);
}

/* A byte of text in the current code page. */
void sg_rtf_text_byte(struct sg_rtf *r, uint8_t b)
{
    uint32_t c;
    if (!is_read(r))
        return;
    if (b < 0x80 && !r->byte_count) {
        sg_rtf_character(r, b);
        return;
    }
    if (r->high)
        sg_rtf_break_off(r);
    if (!r->codepage) {
        r->result.lost = true;
        emit(r, REPLACEMENT);
        return;
    }
    r->bytes[r->byte_count++] = b;
    int done = sg_codepage_decode(r->codepage, r->bytes, r->byte_count, &c);
    if (done == 0 && r->byte_count < SG_CODEPAGE_CHARACTER)
        return;
    size_t count = r->byte_count;
    if (done == 1) {
        r->byte_count = 0;
        emit(r, c);
        return;
    }
    sg_rtf_break_off(r);
    if (count > 1 && b < 0x80)
        emit(r, b); /* it was no second half */
}
