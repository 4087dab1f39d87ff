#include "trigger/words.h"

#include "trigger/trigger.h"

/* The letters of each word; where one falls into two halves, how many stand before the gap. */
static const struct {
    enum sg_trigger_word word;
    const char *name, *letters;
    uint8_t gap;
} table[SG_TRIGGER_WORDS] = {
    {SG_TRIGGER_IN_CONFIDENCE, "IN-CONFIDENCE", "INCONFIDENCE", 2},
    {SG_TRIGGER_SENSITIVE, "SENSITIVE", "SENSITIVE", 0},
    {SG_TRIGGER_RESTRICTED, "RESTRICTED", "RESTRICTED", 0},
    {SG_TRIGGER_CONFIDENTIAL, "CONFIDENTIAL", "CONFIDENTIAL", 0},
    {SG_TRIGGER_SECRET, "SECRET", "SECRET", 0},
    {SG_TRIGGER_TOP_SECRET, "TOP SECRET", "TOPSECRET", 3},
    {SG_TRIGGER_RSVPDR, "RSVPDR", "RSVPDR", 0},
};
#define ALL ((1u << SG_TRIGGER_WORDS) - 1)

const char *sg_trigger_word_name(enum sg_trigger_word word)
{
    for (size_t i = 0; i < SG_TRIGGER_WORDS; i++)
        if (table[i].word == word)
            return table[i].name;
    return "";
}

static bool between(uint32_t c, uint32_t from, uint32_t to)
{
    return c >= from && c <= to;
}

static bool is_break(uint32_t c)
{
    return between(c, '\n', '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* White space, control characters and Unicode's Default_Ignorable_Code_Point. */
static bool is_passed_over(uint32_t c)
{
    if (c < 0x100)
        return c <= ' ' || between(c, 0x7f, 0xa0) || c == 0xad;
    if (between(c, 0x2000, 0x206f))
        return c <= 0x200f || between(c, 0x2028, 0x202f) || c >= 0x205f;
    return c == 0x34f || c == 0x61c || c == 0x115f || c == 0x1160 || c == 0x1680 ||
           between(c, 0x17b4, 0x17b5) || between(c, 0x180b, 0x180f) || c == 0x3000 || c == 0x3164 ||
           between(c, 0xfe00, 0xfe0f) || c == 0xfeff || c == 0xffa0 || between(c, 0xfff0, 0xfffb) ||
           between(c, 0x1bca0, 0x1bca3) || between(c, 0x1d173, 0x1d17a) ||
           between(c, 0xe0000, 0xe0fff);
}

static bool is_hyphen(uint32_t c)
{
    return c == '-' || between(c, 0x2010, 0x2015) || c == 0x2212 || c == 0xfe58 || c == 0xfe63;
}

/* Keeps the candidates that have this letter next; 0 stands for the gap between two halves. */
static void narrow(struct sg_words *w, uint32_t letter)
{
    for (unsigned i = 0; i < SG_TRIGGER_WORDS; i++) {
        if (!(w->alive & 1u << i)) /* its letters may be at their end already */
            continue;
        if (letter ? (uint8_t)table[i].letters[w->letters] != letter
                   : table[i].gap == 0 || table[i].gap != w->letters)
            w->alive &= (uint8_t) ~(1u << i);
    }
    w->letters += letter != 0;
}

static void finish(struct sg_words *w)
{
    for (unsigned i = 0; i < SG_TRIGGER_WORDS; i++)
        if (w->alive & 1u << i && table[i].letters[w->letters] == 0)
            w->found |= table[i].word;
    w->alive = 0;
}

static void step(struct sg_words *w, uint32_t c)
{
    if (between(c, 0xff01, 0xff5e))
        c -= 0xfee0;
    if (c == '[') {
        w->alive = ALL;
        w->letters = 0;
        w->line_start = false;
        return;
    }
    if (!w->alive)
        return;
    if (is_break(c)) {
        w->line_start = true;
        return;
    }
    if (is_passed_over(c) || (c == '>' && w->line_start))
        return;
    w->line_start = false;
    if (c == ']')
        finish(w);
    else if (between(c, 'A', 'Z'))
        narrow(w, c);
    else if (is_hyphen(c))
        narrow(w, 0);
    else
        w->alive = 0;
}

void sg_words_interrupt(struct sg_words *w)
{
    w->need = 0;
    w->alive = 0;
}

/* One octet of a character. What is no UTF-8 is dropped. */
static void octet(struct sg_words *w, uint8_t c)
{
    if (w->need && (c & 0xc0) == 0x80) {
        w->code = w->code << 6 | (c & 0x3f);
        if (--w->need == 0)
            step(w, w->code);
        return;
    }
    w->need = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf8 ? 3 : 0;
    if (c < 0x80)
        step(w, c);
    else if (w->need)
        w->code = c & (0x3fu >> w->need);
}

static const uint8_t *find(const uint8_t *p, const uint8_t *end, int c)
{
    const uint8_t *at = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;
    return at ? at : end;
}

void sg_words_push(struct sg_words *w, const void *utf8, size_t len)
{
    const uint8_t *p = utf8, *end = p + len;
    if (len == 0)
        return;
    /* The next octets with which an opening bracket can begin (0xef: a full-width one), looked for
     * anew when passed: so the whole is gone through once for each. */
    const uint8_t *ascii = p, *wide = p;
    bool ascii_known = false, wide_known = false;
    while (p < end) {
        if (!w->alive && !w->need) {
            if (!ascii_known || ascii < p)
                ascii = find(p, end, '[');
            if (!wide_known || wide < p)
                wide = find(p, end, 0xef);
            ascii_known = wide_known = true;
            p = ascii < wide ? ascii : wide;
            if (p == end)
                return;
        }
        octet(w, *p++);
    }
}
