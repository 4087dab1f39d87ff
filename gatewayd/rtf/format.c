#include "rtf/rtf_internal.h"

#include <stdlib.h>

#define FONTS_MAX 32768

static struct sg_codepage *codepage_of_font(struct sg_rtf *r, int32_t font)
{
    if (font < 0 || (size_t)font >= r->font_count || !r->fonts[font])
        return r->document_codepage;
    return sg_codepages_get(r->codepages, r->fonts[font]);
}

static void set_font(struct sg_rtf *r, int32_t font)
{
    struct sg_codepage *codepage = codepage_of_font(r, font);
    r->now.font = font;
    if (codepage == r->codepage)
        return;
    if (r->byte_count)
        sg_rtf_break_off(r);
    r->codepage = codepage;
}

static void define_font(struct sg_rtf *r, int32_t font, unsigned codepage)
{
    if (font < 0 || font >= FONTS_MAX || codepage > UINT16_MAX)
        return;
    if ((size_t)font >= r->font_count) {
        size_t count = r->font_count ? r->font_count : 32;
        while (count <= (size_t)font)
            count *= 2;
        r->fonts = realloc(r->fonts, count * sizeof *r->fonts);
        if (!r->fonts)
            abort();
        memset(r->fonts + r->font_count, 0, (count - r->font_count) * sizeof *r->fonts);
        r->font_count = count;
    }
    r->fonts[font] = (uint16_t)codepage;
}

void sg_rtf_group_open(struct sg_rtf *r)
{
    r->star = false;
    r->skip = 0;
    if (r->depth == r->max_depth) {
        r->deeper++;
        r->result.lost = true;
        return;
    }
    if (r->depth == r->stack_size) {
        r->stack_size = r->stack_size ? 2 * r->stack_size : 32;
        r->stack = realloc(r->stack, r->stack_size * sizeof *r->stack);
        if (!r->stack)
            abort();
    }
    r->stack[r->depth++] = r->now;
}

void sg_rtf_group_close(struct sg_rtf *r)
{
    r->star = false;
    r->skip = 0;
    if (r->deeper) {
        r->deeper--;
        return;
    }
    if (!r->depth) {
        r->result.malformed = true;
        return;
    }
    const struct state *outer = &r->stack[--r->depth];
    if (r->now.destination == ASIDE && outer->destination != ASIDE)
        r->aside_apart = true;
    r->now = *outer;
    set_font(r, r->now.font);
}

/* Within what is passed over there is nothing to read, whatever it calls itself. */
void sg_rtf_go_to(struct sg_rtf *r, enum destination destination)
{
    if (r->now.destination == SKIP || r->deeper)
        return;
    if (destination == ASIDE)
        r->aside_apart = true;
    r->now.destination = (uint8_t)destination;
}

static void upr(struct sg_rtf *r)
{
    if (r->now.destination != SKIP)
        r->now.around_upr = r->now.destination;
    sg_rtf_go_to(r, SKIP);
}

/* The Unicode form of what \upr has before in a code page. */
static void ud(struct sg_rtf *r)
{
    if (!r->deeper)
        r->now.destination = r->now.around_upr;
}

static void format(struct sg_rtf *r, uint8_t flag, bool on)
{
    if (on)
        r->now.flags |= flag;
    else
        r->now.flags &= (uint8_t)~flag;
}

static void document_charset(struct sg_rtf *r, int64_t codepage)
{
    unsigned number = codepage <= 0 ? ANSI : (unsigned)codepage;
    r->document_codepage = sg_codepages_get(r->codepages, number);
    set_font(r, r->now.font);
}

static void font(struct sg_rtf *r, int64_t n)
{
    int32_t number = n < 0 ? -1 : (int32_t)n;
    if (r->now.destination == FONT_TABLE)
        r->defined_font = number;
    else
        set_font(r, number);
}

void sg_rtf_act(struct sg_rtf *r, const struct sg_rtf_word *word, bool has_number, int64_t n)
{
    bool on = !has_number || n != 0;
    switch (word->action) {
    case SG_RTF_CHARACTER:
        sg_rtf_character(r, word->value);
        break;
    case SG_RTF_TO_ASIDE:
        sg_rtf_go_to(r, ASIDE);
        break;
    case SG_RTF_TO_HTML:
        sg_rtf_go_to(r, HTML);
        break;
    case SG_RTF_SKIP:
        sg_rtf_go_to(r, SKIP);
        break;
    case SG_RTF_FONT_TABLE:
        sg_rtf_go_to(r, FONT_TABLE);
        break;
    case SG_RTF_UPR:
        upr(r);
        break;
    case SG_RTF_UD:
        ud(r);
        break;
    case SG_RTF_CHARSET:
        document_charset(r, word->value);
        break;
    case SG_RTF_ANSICPG:
        document_charset(r, n);
        break;
    case SG_RTF_DEFF:
        r->default_font = (int32_t)n;
        set_font(r, r->default_font);
        break;
    case SG_RTF_FONT:
        font(r, n);
        break;
    case SG_RTF_FCHARSET:
        if (r->now.destination == FONT_TABLE && n >= 0)
            define_font(r, r->defined_font, sg_codepage_of_fcharset((unsigned)n));
        break;
    case SG_RTF_CPG:
        if (r->now.destination == FONT_TABLE && n > 0)
            define_font(r, r->defined_font, (unsigned)n);
        break;
    case SG_RTF_UC:
        r->now.uc = n < 0 ? 0 : n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
        break;
    case SG_RTF_UNICODE:
        sg_rtf_unicode(r, n);
        r->skip = r->now.uc;
        break;
    case SG_RTF_PLAIN:
        format(r, CHARACTER_FORMAT, false);
        set_font(r, r->default_font);
        break;
    case SG_RTF_HIDDEN:
        format(r, HIDDEN, on);
        break;
    case SG_RTF_DELETED:
        format(r, DELETED, on);
        break;
    case SG_RTF_CAPS:
        format(r, CAPS, on);
        break;
    case SG_RTF_SCAPS:
        format(r, SCAPS, on);
        break;
    case SG_RTF_FROMHTML:
        r->from_html = on;
        break;
    case SG_RTF_HTMLRTF:
        format(r, NOT_HTML, on);
        break;
    case SG_RTF_NONE:
    case SG_RTF_KEEP:
    case SG_RTF_DOCUMENT:
    case SG_RTF_BIN:
        break;
    }
}
