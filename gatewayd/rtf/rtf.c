#include "rtf/rtf.h"

#include "rtf/codepage.h"
#include "rtf/words.h"

#include <stdlib.h>

#define OUT_BYTES   2048
#define FONTS_MAX   32768
#define NUMBER_MAX  INT32_MAX
#define ANSI        1252
#define REPLACEMENT 0xfffd
#define UC_DEFAULT  1

enum destination { TEXT, ASIDE, HTML, SKIP, FONT_TABLE };
enum lexeme { PLAIN, ESCAPE, WORD, SIGN, NUMBER, HEX1, HEX2, BINARY };
enum { HIDDEN = 1, DELETED = 2, CAPS = 4, SCAPS = 8, CHARACTER_FORMAT = 15, NOT_HTML = 16 };

/* What a group inherits and gives back at its end. */
struct state {
    uint8_t destination;
    uint8_t around_upr; /* destination around the \upr group that this is in */
    uint8_t flags;
    uint16_t uc;
    int32_t font;
};

struct out {
    uint8_t data[OUT_BYTES];
    size_t len;
};

struct sg_rtf {
    sg_rtf_sink sink;
    void *ctx;
    struct out out[SG_RTF_VIEWS];
    bool aside_any, aside_apart; /* apart: something lies between its last text and the next */

    enum lexeme lexeme;
    char word[SG_RTF_WORD_MAX + 1];
    size_t word_len;
    bool negative;
    int64_t number;
    uint64_t binary_left;
    uint8_t hex;

    struct state now, *stack;
    size_t depth, stack_size, max_depth, deeper;
    bool star;     /* behind \*: the next word is a destination that may be passed over */
    uint32_t skip; /* characters that stand for a \u before them */
    uint32_t high; /* surrogate that waits for its second half */

    struct sg_codepages *codepages;
    struct sg_codepage *codepage, *document_codepage;
    uint16_t *fonts; /* code page by font number; 0: the document's */
    size_t font_count;
    int32_t default_font, defined_font;
    uint8_t bytes[SG_CODEPAGE_CHARACTER]; /* of a character that is not complete */
    size_t byte_count;

    bool words_seen, from_html;
    struct sg_rtf_result result;
};

struct sg_rtf *sg_rtf_new(size_t max_depth, sg_rtf_sink sink, void *ctx)
{
    struct sg_rtf *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->sink = sink;
    r->ctx = ctx;
    r->max_depth = max_depth;
    r->now.uc = UC_DEFAULT;
    r->codepages = sg_codepages_new();
    r->document_codepage = r->codepage = sg_codepages_get(r->codepages, ANSI);
    return r;
}

void sg_rtf_free(struct sg_rtf **rtf)
{
    if (!*rtf)
        return;
    sg_codepages_free(&(*rtf)->codepages);
    free((*rtf)->stack);
    free((*rtf)->fonts);
    free(*rtf);
    *rtf = NULL;
}

static void flush(struct sg_rtf *r, enum sg_rtf_view view)
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
        flush(r, view);
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
static void break_off(struct sg_rtf *r)
{
    if (r->byte_count || r->high) {
        r->byte_count = 0;
        r->high = 0;
        emit(r, REPLACEMENT);
    }
}

static void character(struct sg_rtf *r, uint32_t c)
{
    if (!is_read(r))
        return;
    break_off(r);
    if (c)
        emit(r, c);
}

/* A code unit of \u: UTF-16, or a whole character of those who do not keep to it. */
static void unicode(struct sg_rtf *r, int64_t n)
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
        break_off(r);
        r->high = c;
        if (c >= 0xdc00)
            break_off(r);
        return;
    } else if (c >= 0xf020 && c < 0xf100) {
        c &= 0xff; /* of a symbol font */
    }
    character(r, c);
}

/* A byte of text in the current code page. */
static void text_byte(struct sg_rtf *r, uint8_t b)
{
    uint32_t c;
    if (!is_read(r))
        return;
    if (b < 0x80 && !r->byte_count) {
        character(r, b);
        return;
    }
    if (r->high)
        break_off(r);
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
    break_off(r);
    if (count > 1 && b < 0x80)
        emit(r, b); /* it was no second half */
}

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
        break_off(r);
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

static void open_group(struct sg_rtf *r)
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

static void close_group(struct sg_rtf *r)
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
static void go_to(struct sg_rtf *r, enum destination destination)
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
    go_to(r, SKIP);
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

static void act(struct sg_rtf *r, const struct sg_rtf_word *word, bool has_number, int64_t n)
{
    bool on = !has_number || n != 0;
    switch (word->action) {
    case SG_RTF_CHARACTER:
        character(r, word->value);
        break;
    case SG_RTF_TO_ASIDE:
        go_to(r, ASIDE);
        break;
    case SG_RTF_TO_HTML:
        go_to(r, HTML);
        break;
    case SG_RTF_SKIP:
        go_to(r, SKIP);
        break;
    case SG_RTF_FONT_TABLE:
        go_to(r, FONT_TABLE);
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
        unicode(r, n);
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

/* A control word with its number is complete. */
static void control_word(struct sg_rtf *r, bool has_number)
{
    r->word[r->word_len] = '\0';
    const struct sg_rtf_word *word = sg_rtf_word_find(r->word);
    int64_t n = has_number ? (r->negative ? -r->number : r->number) : 0;
    bool star = r->star;
    r->star = false;
    r->lexeme = PLAIN;
    if (!r->words_seen && !(word && word->action == SG_RTF_DOCUMENT && r->depth == 1))
        r->result.malformed = true;
    r->words_seen = true;
    if (word && word->action == SG_RTF_BIN && n > 0) {
        r->binary_left = (uint64_t)n;
        r->lexeme = BINARY;
    }
    if (r->skip && !(word && word->action == SG_RTF_UNICODE)) {
        r->skip--;
        return;
    }
    if (word)
        act(r, word, has_number, n);
    else if (star)
        go_to(r, SKIP);
}

static void visible(struct sg_rtf *r, uint8_t b)
{
    if (r->skip)
        r->skip--;
    else
        text_byte(r, b);
}

static void symbol(struct sg_rtf *r, uint8_t c)
{
    r->lexeme = PLAIN;
    if (c == '\'') {
        r->lexeme = HEX1;
        return;
    }
    if (c == '*') {
        r->star = true;
        return;
    }
    if (r->skip) {
        r->skip--;
        return;
    }
    switch (c) {
    case '\\':
    case '{':
    case '}':
        text_byte(r, c);
        break;
    case '\r':
    case '\n':
        character(r, '\n');
        break;
    case '\t':
        character(r, '\t');
        break;
    case '~':
        character(r, 0xa0);
        break;
    case '_':
        character(r, 0x2011);
        break;
    default: /* \- and the like show nothing */
        break;
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static bool letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static void plain(struct sg_rtf *r, uint8_t c)
{
    switch (c) {
    case '{':
        open_group(r);
        break;
    case '}':
        close_group(r);
        break;
    case '\\':
        r->lexeme = ESCAPE;
        break;
    case '\r':
    case '\n':
    case '\0':
        break;
    default:
        visible(r, c);
        break;
    }
}

/* false: c did not belong to the word and is still to be read. */
static bool word_goes_on(struct sg_rtf *r, uint8_t c)
{
    if (r->lexeme == WORD && letter(c)) {
        if (r->word_len < SG_RTF_WORD_MAX)
            r->word[r->word_len++] = (char)c;
        else
            r->result.malformed = true;
        return true;
    }
    if (r->lexeme == WORD && c == '-') {
        r->negative = true;
        r->lexeme = SIGN;
        return true;
    }
    if (c >= '0' && c <= '9') {
        r->lexeme = NUMBER;
        r->number = r->number * 10 + (c - '0');
        if (r->number > NUMBER_MAX)
            r->number = NUMBER_MAX;
        return true;
    }
    enum lexeme ended = r->lexeme;
    control_word(r, ended == NUMBER);
    if (ended == SIGN)
        visible(r, '-'); /* a hyphen behind a word that has no number */
    return c == ' ' && ended != SIGN;
}

static void hex(struct sg_rtf *r, uint8_t c)
{
    int digit = hex_digit(c);
    if (digit < 0) {
        r->result.malformed = true;
        r->lexeme = PLAIN;
        plain(r, c);
    } else if (r->lexeme == HEX1) {
        r->hex = (uint8_t)(digit << 4);
        r->lexeme = HEX2;
    } else {
        r->lexeme = PLAIN;
        visible(r, (uint8_t)(r->hex | digit));
    }
}

static void byte(struct sg_rtf *r, uint8_t c)
{
    switch (r->lexeme) {
    case ESCAPE:
        if (!letter(c)) {
            symbol(r, c);
            return;
        }
        r->lexeme = WORD;
        r->word_len = 0;
        r->negative = false;
        r->number = 0;
        word_goes_on(r, c);
        return;
    case WORD:
    case SIGN:
    case NUMBER:
        if (word_goes_on(r, c))
            return;
        /* What ended the word may be the first octet of \bin's data. */
        if (r->lexeme != BINARY)
            plain(r, c);
        else if (--r->binary_left == 0)
            r->lexeme = PLAIN;
        return;
    case HEX1:
    case HEX2:
        hex(r, c);
        return;
    case PLAIN:
        plain(r, c);
        return;
    case BINARY: /* sg_rtf_push() passes over it */
        return;
    }
}

static bool ordinary(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '\\' && c != '{' && c != '}';
}

/*
 * The same as byte() for each of the ordinary characters that data begins with, where nothing
 * changes them on their way. Returns how many.
 */
static size_t run(struct sg_rtf *r, struct sg_bytes data)
{
    const struct state *s = &r->now;
    size_t n = 0;
    if (r->lexeme != PLAIN || r->skip || r->byte_count || r->high)
        return 0;
    if (s->destination != SKIP && (s->destination != TEXT || s->flags || r->from_html))
        return 0;
    while (n < data.len && n < OUT_BYTES && ordinary(data.data[n]))
        n++;
    if (s->destination == SKIP || !n)
        return n;
    struct out *out = &r->out[SG_RTF_TEXT];
    if (n > OUT_BYTES - out->len)
        flush(r, SG_RTF_TEXT);
    memcpy(out->data + out->len, data.data, n);
    out->len += n;
    r->aside_apart = true;
    return n;
}

static size_t binary(struct sg_rtf *r, size_t len)
{
    size_t n = len < r->binary_left ? len : (size_t)r->binary_left;
    r->binary_left -= n;
    if (!r->binary_left)
        r->lexeme = PLAIN;
    return n;
}

void sg_rtf_push(struct sg_rtf *r, struct sg_bytes data)
{
    for (size_t i = 0; i < data.len;) {
        size_t n = r->lexeme == BINARY ? binary(r, data.len - i)
                                       : run(r, sg_bytes_slice(data, i, data.len));
        if (!n)
            byte(r, data.data[i]);
        i += n ? n : 1;
    }
}

void sg_rtf_end(struct sg_rtf *r, struct sg_rtf_result *result_r)
{
    enum lexeme lexeme = r->lexeme;
    if (lexeme == WORD || lexeme == SIGN || lexeme == NUMBER)
        control_word(r, lexeme == NUMBER);
    break_off(r);
    if (r->depth || r->deeper || lexeme != PLAIN)
        r->result.truncated = true;
    if (!r->words_seen)
        r->result.malformed = true;
    for (int view = 0; view < SG_RTF_VIEWS; view++)
        flush(r, (enum sg_rtf_view)view);
    *result_r = r->result;
}
