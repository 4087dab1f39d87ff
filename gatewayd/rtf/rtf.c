#include "rtf/rtf_internal.h"

#include <stdlib.h>

#define NUMBER_MAX INT32_MAX
#define UC_DEFAULT 1

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
        sg_rtf_act(r, word, has_number, n);
    else if (star)
        sg_rtf_go_to(r, SKIP);
}

static void visible(struct sg_rtf *r, uint8_t b)
{
    if (r->skip)
        r->skip--;
    else
        sg_rtf_text_byte(r, b);
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
        sg_rtf_text_byte(r, c);
        break;
    case '\r':
    case '\n':
        sg_rtf_character(r, '\n');
        break;
    case '\t':
        sg_rtf_character(r, '\t');
        break;
    case '~':
        sg_rtf_character(r, 0xa0);
        break;
    case '_':
        sg_rtf_character(r, 0x2011);
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
        sg_rtf_group_open(r);
        break;
    case '}':
        sg_rtf_group_close(r);
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
        sg_rtf_flush(r, SG_RTF_TEXT);
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
    sg_rtf_break_off(r);
    if (r->depth || r->deeper || lexeme != PLAIN)
        r->result.truncated = true;
    if (!r->words_seen)
        r->result.malformed = true;
    for (int view = 0; view < SG_RTF_VIEWS; view++)
        sg_rtf_flush(r, (enum sg_rtf_view)view);
    *result_r = r->result;
}
