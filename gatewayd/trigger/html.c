#include "trigger/html.h"

#include "trigger/trigger.h"

#include <ctype.h>

enum state {
    DATA,
    REFERENCE, /* behind '&' */
    NUMBER,    /* behind "&#" */
    DECIMAL,
    HEXADECIMAL,
    NAMED,
    TAG_OPEN, /* behind '<' */
    END_OPEN, /* behind "</" */
    TAG_NAME,
    BEFORE_ATTRIBUTE,
    ATTRIBUTE,
    AFTER_ATTRIBUTE,
    BEFORE_VALUE,
    VALUE,
    MARKUP,      /* behind "<!" */
    MARKUP_DASH, /* behind "<!-" */
    COMMENT,
    BOGUS,     /* up to '>': what a browser takes for a comment */
    CONDITION, /* comments shown: behind "<!--" or "<!" */
    SILENT,    /* up to '>', never shown */
    CDATA,     /* comments shown, in svg or math: text up to "]]>" */
    RAW_OPEN,
    RAW_END_OPEN
};

enum raw { RAW_NONE, RAW_DROPPED, RAW_TEXT, RAW_REFERENCES };

static const struct {
    const char *name;
    enum raw raw;
} raw_elements[] = {
    {"", RAW_NONE},
    {"script", RAW_DROPPED},
    {"style", RAW_DROPPED},
    {"param", RAW_DROPPED}, /* in text/enriched alone */
    {"title", RAW_REFERENCES},
    {"textarea", RAW_REFERENCES},
    {"xmp", RAW_TEXT},
    {"iframe", RAW_TEXT},
    {"noembed", RAW_TEXT},
    {"noframes", RAW_TEXT},
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Text ----------------------------------------------------------------------------------------- */

/* Hiding styles, without white space. "font-size:0" also begins "font-size:0.8em". */
static bool style_hides(const struct sg_html_view *v)
{
    static const char *const hiding[] = {"display:none", "visibility:hidden", "mso-hide:all"};
    static const char tiny[] = "font-size:0";
    for (size_t i = 0; i < sizeof hiding / sizeof *hiding; i++)
        if (memmem(v->style, v->style_len, hiding[i], strlen(hiding[i])))
            return true;
    const char *at = memmem(v->style, v->style_len, tiny, sizeof tiny - 1);
    if (!at)
        return false;
    const char *behind = at + sizeof tiny - 1;
    return behind == v->style + v->style_len || (*behind != '.' && !isdigit((uint8_t)*behind));
}

/* Collects the value of a style attribute in pieces that lap over each other. */
static void style_push(struct sg_html_view *v, const uint8_t *p, size_t len)
{
    enum { LAP = 20 };
    for (size_t i = 0; i < len; i++) {
        uint8_t c = p[i];
        if (c <= ' ')
            continue;
        if (v->style_len == SG_HTML_STYLE) {
            v->hides |= style_hides(v);
            memmove(v->style, v->style + SG_HTML_STYLE - LAP, LAP);
            v->style_len = LAP;
        }
        v->style[v->style_len++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
}

static bool attribute_is(const struct sg_html_view *v, const char *name)
{
    return v->attr_len == strlen(name) && memcmp(v->attr, name, v->attr_len) == 0;
}

static void text_push(struct sg_html_view *v, const void *p, size_t len)
{
    if (v->back == VALUE) {
        sg_words_push(&v->values, p, len);
        if (attribute_is(v, "style"))
            style_push(v, p, len);
    } else if (raw_elements[v->raw].raw != RAW_DROPPED) {
        sg_words_push(&v->all, p, len);
        if (v->parted && !v->hidden)
            sg_words_push(&v->visible, p, len);
    }
}

static void code_push(struct sg_html_view *v, uint32_t c)
{
    uint8_t out[3];
    size_t n = 0;
    if (c < 0x80) {
        out[n++] = (uint8_t)c;
    } else if (c < 0x800) {
        out[n++] = (uint8_t)(0xc0 | c >> 6);
        out[n++] = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        out[n++] = (uint8_t)(0xe0 | c >> 12);
        out[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[n++] = (uint8_t)(0x80 | (c & 0x3f));
    }
    text_push(v, out, n);
}

/* A number beyond what two octets hold is no character of a word, unless it is one that nobody
 * sees. 0x80 to 0x9f mean windows-1252. */
static void number_push(struct sg_html_view *v)
{
    uint32_t c = v->number;
    if (c == 0x96 || c == 0x97)
        c = 0x2013;
    else if (c >= 0x80 && c <= 0x9f)
        c = 0xfffd;
    else if (c >= 0xe0000 && c <= 0xe0fff)
        c = 0x200b;
    else if (c > 0xffff)
        c = 0xfffd;
    code_push(v, c);
}

static void named_end(struct sg_html_view *v, bool ended)
{
    size_t rest;
    uint32_t c = sg_html_entity(v->ref, v->ref_len, ended, &rest);
    if (c)
        code_push(v, c);
    else
        text_push(v, "&", 1);
    if (!c)
        rest = v->ref_len;
    text_push(v, v->ref + v->ref_len - rest, rest);
}

/* Tags ----------------------------------------------------------------------------------------- */

static bool name_is(const struct sg_html_view *v, const char *name)
{
    return v->name_len == strlen(name) && memcmp(v->name, name, v->name_len) == 0;
}

static bool name_among(const struct sg_html_view *v, const char *const *names)
{
    for (; *names; names++)
        if (name_is(v, *names))
            return true;
    return false;
}

static bool is_void(const struct sg_html_view *v)
{
    static const char *const names[] = {"area",  "base", "br",   "col",    "embed", "hr",  "img",
                                        "input", "link", "meta", "source", "track", "wbr", NULL};
    return name_among(v, names);
}

/* svg and math, whose content is no HTML (HTML standard, §13.2.6.5): elements of HTML that end
 * them, and elements of theirs that have HTML in them. */
enum { HTML, SVG, MATH };

static void foreign_follow(struct sg_html_view *v)
{
    static const char *const ends[] = {
        "b",      "big",  "blockquote", "body",  "br",   "center", "code",    "dd",   "div",
        "dl",     "dt",   "em",         "embed", "h1",   "h2",     "h3",      "h4",   "h5",
        "h6",     "head", "hr",         "i",     "img",  "li",     "listing", "menu", "meta",
        "nobr",   "ol",   "p",          "pre",   "ruby", "s",      "small",   "span", "strong",
        "strike", "sub",  "sup",        "table", "tt",   "u",      "ul",      "var",  NULL};
    static const char *const in_svg[] = {"foreignobject", "desc", NULL};
    static const char *const in_math[] = {"mi", "mo", "mn", "ms", "mtext", NULL};
    if (!v->foreign && v->name[0] != 's' && v->name[0] != 'm')
        return;
    uint8_t named = name_is(v, "svg") ? SVG : name_is(v, "math") ? MATH : HTML;
    if (named && v->closing)
        v->foreign = v->foreign == named ? HTML : v->foreign;
    else if (named && !v->slash)
        v->foreign = named;
    else if (v->foreign && !v->closing && !named &&
             (name_among(v, ends) || (v->foreign == SVG && name_among(v, in_svg)) ||
              (v->foreign == MATH && name_among(v, in_math))))
        v->foreign = HTML;
}

static void name_begin(struct sg_html_view *v)
{
    v->name_len = v->style_len = 0;
    v->hides = v->slash = false;
}

/* A name that does not fit is none that means anything here. */
static void name_add(char name[SG_HTML_NAME], uint8_t *len, uint8_t c)
{
    if (*len < SG_HTML_NAME)
        name[(*len)++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void hidden_follow(struct sg_html_view *v)
{
    bool same = v->hidden && name_is(v, v->hider);
    if (same && v->closing) {
        v->hidden--;
    } else if (same) {
        v->hidden++;
    } else if (!v->hidden && v->hides && !v->closing && !is_void(v) && v->name_len < SG_HTML_NAME) {
        memcpy(v->hider, v->name, v->name_len);
        v->hider[v->name_len] = 0;
        v->hidden = 1;
        if (!v->parted)
            v->visible = v->all;
        v->parted = true;
    }
}

static void tag_end(struct sg_html_view *v)
{
    v->state = v->back = DATA;
    if (v->closing)
        v->raw = RAW_NONE;
    hidden_follow(v);
    foreign_follow(v);
    if (v->closing || v->foreign)
        return;
    for (uint8_t i = 1; i < sizeof raw_elements / sizeof *raw_elements; i++)
        if (v->name[0] == raw_elements[i].name[0] && name_is(v, raw_elements[i].name) &&
            (v->enriched || !name_is(v, "param")))
            v->raw = i;
}

static void value_end(struct sg_html_view *v)
{
    v->back = DATA;
    v->state = BEFORE_ATTRIBUTE;
    if (attribute_is(v, "style"))
        v->hides |= style_hides(v);
    v->style_len = 0;
}

static void attribute_end(struct sg_html_view *v)
{
    v->hides |= attribute_is(v, "hidden");
}

/* One octet of a tag. */
static void tag_step(struct sg_html_view *v, uint8_t c)
{
    if (c != '>')
        v->slash = c == '/';
    switch (v->state) {
    case TAG_NAME:
        if (c == '>')
            tag_end(v);
        else if (is_space(c) || c == '/')
            v->state = BEFORE_ATTRIBUTE;
        else
            name_add(v->name, &v->name_len, c);
        break;
    case BEFORE_ATTRIBUTE:
        if (c == '>') {
            tag_end(v);
        } else if (!is_space(c) && c != '/') {
            v->attr_len = 0;
            name_add(v->attr, &v->attr_len, c);
            v->state = ATTRIBUTE;
        }
        break;
    case ATTRIBUTE:
    case AFTER_ATTRIBUTE:
        if (c == '=') {
            v->state = BEFORE_VALUE;
        } else if (c == '>') {
            attribute_end(v);
            tag_end(v);
        } else if (is_space(c)) {
            v->state = AFTER_ATTRIBUTE;
        } else if (c == '/') {
            attribute_end(v);
            v->state = BEFORE_ATTRIBUTE;
        } else {
            if (v->state == AFTER_ATTRIBUTE) {
                attribute_end(v);
                v->attr_len = 0;
            }
            name_add(v->attr, &v->attr_len, c);
            v->state = ATTRIBUTE;
        }
        break;
    default: /* BEFORE_VALUE */
        if (is_space(c))
            break;
        if (c == '>') {
            tag_end(v);
            break;
        }
        sg_words_interrupt(&v->values);
        v->state = v->back = VALUE;
        v->quote = c == '"' || c == '\'' ? (char)c : 0;
        if (!v->quote)
            text_push(v, &c, 1);
        break;
    }
}

/* Markup declarations and comments ------------------------------------------------------------- */

static void comment_step(struct sg_html_view *v, uint8_t c)
{
    if (c == '>' && (v->dashes >= 2 || v->bang)) {
        v->state = DATA;
        return;
    }
    v->bang = c == '!' && v->dashes >= 2 && v->begun;
    v->dashes = c != '-' ? 0 : v->dashes < 2 ? v->dashes + 1 : 2;
    v->begun |= c != '-';
}

static void bogus_step(struct sg_html_view *v, uint8_t c)
{
    if (c == '>')
        v->state = DATA;
    else if (v->comments_shown)
        text_push(v, &c, 1);
}

static void cdata_step(struct sg_html_view *v, uint8_t c)
{
    if (c == '>' && v->dashes == 2)
        v->state = DATA;
    v->dashes = c != ']' ? 0 : v->dashes < 2 ? v->dashes + 1 : 2;
    text_push(v, &c, 1);
}

/* Comments shown, behind "<!--" (begun) or "<!": "[if" and "[end" with what follows them up to '>'
 * are never shown, other things are. */
static bool condition_step(struct sg_html_view *v, uint8_t c)
{
    static const struct {
        const char *word;
        enum state state;
    } words[] = {{"[if", SILENT}, {"[end", SILENT}, {"[cdata[", CDATA}};
    v->ref[v->ref_len++] = (char)tolower(c);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((words[i].state != CDATA || v->foreign) &&
            strncmp(words[i].word, v->ref, v->ref_len) == 0) {
            if (words[i].word[v->ref_len] == 0) {
                v->state = (uint8_t)words[i].state;
                v->dashes = 0;
            }
            return true;
        }
    v->state = v->begun ? DATA : BOGUS;
    text_push(v, v->ref, v->ref_len - 1u);
    return false;
}

static void condition_begin(struct sg_html_view *v, bool comment)
{
    v->state = CONDITION;
    v->ref_len = 0;
    v->begun = comment;
}

/* One octet behind "<!". */
static bool markup_step(struct sg_html_view *v, uint8_t c)
{
    if (v->state == MARKUP && c == '-') {
        v->state = MARKUP_DASH;
        return true;
    }
    if (v->state == MARKUP_DASH && c == '-') {
        v->state = COMMENT;
        v->dashes = 2;
        v->begun = v->bang = false;
        if (v->comments_shown)
            condition_begin(v, true);
        return true;
    }
    if (v->state == MARKUP && (c == 'd' || c == 'D')) { /* DOCTYPE */
        v->state = SILENT;
        return true;
    }
    v->state = BOGUS;
    if (v->comments_shown)
        condition_begin(v, false);
    return false;
}

/* References ----------------------------------------------------------------------------------- */

static int digit(uint8_t c, bool hexadecimal)
{
    if (isdigit(c))
        return c - '0';
    return hexadecimal && isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* One octet behind '&'; false where it belongs to what follows. */
static bool reference_step(struct sg_html_view *v, uint8_t c)
{
    bool hexadecimal = v->state == HEXADECIMAL;
    switch (v->state) {
    case REFERENCE:
        v->ref_len = 0;
        if (c == '#') {
            v->state = NUMBER;
            return true;
        }
        v->state = NAMED;
        return reference_step(v, c);
    case NUMBER:
        v->number = 0;
        if (c == 'x' || c == 'X') {
            v->state = HEXADECIMAL;
            return true;
        }
        if (isdigit(c)) {
            v->state = DECIMAL;
            return reference_step(v, c);
        }
        text_push(v, "&#", 2);
        break;
    case DECIMAL:
    case HEXADECIMAL:
        if (digit(c, hexadecimal) >= 0) {
            if (v->number < 0x110000)
                v->number = v->number * (hexadecimal ? 16 : 10) + (uint32_t)digit(c, hexadecimal);
            return true;
        }
        number_push(v);
        break;
    default: /* NAMED */
        if (isalnum(c) && v->ref_len < sizeof v->ref) {
            v->ref[v->ref_len++] = (char)c;
            return true;
        }
        named_end(v, c == ';');
        break;
    }
    v->state = v->back;
    return c == ';';
}

/* ---------------------------------------------------------------------------------------------- */

/* One octet of what looks like an end tag in a raw element. */
static bool raw_step(struct sg_html_view *v, uint8_t c)
{
    if (v->state == RAW_OPEN && c == '/') {
        v->state = RAW_END_OPEN;
        name_begin(v);
        return true;
    }
    if (v->state == RAW_END_OPEN && isalpha(c)) {
        name_add(v->name, &v->name_len, c);
        return true;
    }
    if (v->state == RAW_END_OPEN && name_is(v, raw_elements[v->raw].name) &&
        (is_space(c) || c == '/' || c == '>')) {
        v->closing = true;
        v->state = TAG_NAME;
        return false;
    }
    text_push(v, "<", 1);
    v->state = DATA;
    return false;
}

static bool open_step(struct sg_html_view *v, uint8_t c)
{
    if (isalpha(c)) {
        v->closing = v->state == END_OPEN;
        v->state = TAG_NAME;
        name_begin(v);
        return false;
    }
    if (v->state == END_OPEN) {
        v->state = BOGUS;
        return false;
    }
    if (c == '/' || c == '!' || c == '?') {
        v->state = c == '/' ? END_OPEN : c == '!' ? MARKUP : BOGUS;
        return true;
    }
    text_push(v, "<", 1);
    v->state = DATA;
    return false;
}

/* One octet in a state other than DATA and VALUE; false: the new state takes it. */
static bool step(struct sg_html_view *v, uint8_t c)
{
    switch (v->state) {
    case TAG_OPEN:
    case END_OPEN:
        return open_step(v, c);
    case MARKUP:
    case MARKUP_DASH:
        return markup_step(v, c);
    case CONDITION:
        return condition_step(v, c);
    case COMMENT:
        comment_step(v, c);
        return true;
    case BOGUS:
        bogus_step(v, c);
        return true;
    case CDATA:
        cdata_step(v, c);
        return true;
    case SILENT:
        if (c == '>')
            v->state = DATA;
        return true;
    case RAW_OPEN:
    case RAW_END_OPEN:
        return raw_step(v, c);
    case REFERENCE:
    case NUMBER:
    case DECIMAL:
    case HEXADECIMAL:
    case NAMED:
        return reference_step(v, c);
    default:
        tag_step(v, c);
        return true;
    }
}

/* Text up to what ends it; returns how much was taken. */
static size_t data_run(struct sg_html_view *v, const uint8_t *p, size_t len)
{
    size_t n = 0;
    bool references =
        raw_elements[v->raw].raw == RAW_NONE || raw_elements[v->raw].raw == RAW_REFERENCES;
    while (n < len && p[n] != '<' && !(p[n] == '&' && references))
        n++;
    text_push(v, p, n);
    if (n == len)
        return n;
    v->state = p[n] == '&' ? REFERENCE : v->raw ? RAW_OPEN : TAG_OPEN;
    return n + 1;
}

static size_t value_run(struct sg_html_view *v, const uint8_t *p, size_t len)
{
    size_t n = 0;
    if (v->quote)
        while (n < len && p[n] != (uint8_t)v->quote && p[n] != '&')
            n++;
    else
        while (n < len && !is_space(p[n]) && p[n] != '>' && p[n] != '&')
            n++;
    text_push(v, p, n);
    if (n == len)
        return n;
    if (p[n] == '&') {
        v->state = REFERENCE;
        return n + 1;
    }
    value_end(v);
    return p[n] == '>' ? n : n + 1; /* the tag ends with it too */
}

/* Is the next octet the one at which a comment is known to begin? */
static bool parts_here(const struct sg_html_view *v, uint8_t c)
{
    if (c == 0)
        return false;
    return (v->state == TAG_OPEN && c == '?') || (v->state == MARKUP && c != 'd' && c != 'D') ||
           (v->state == END_OPEN && !isalpha(c) && c != '>');
}

/* Returns how much was taken: all, or with stop what stands before the first comment. */
static size_t view_push(struct sg_html_view *v, const uint8_t *p, size_t len, bool stop)
{
    size_t i = 0;
    while (i < len) {
        if (v->state == DATA) {
            i += data_run(v, p + i, len - i);
        } else if (v->state == VALUE) {
            i += value_run(v, p + i, len - i);
        } else if (p[i] == 0) { /* some readers drop it; UTF-16 read as ASCII is full of them */
            i++;
        } else if (stop && parts_here(v, p[i])) {
            break;
        } else {
            i += step(v, p[i]);
        }
    }
    return i;
}

void sg_html_push(struct sg_html *h, const uint8_t *utf8, size_t len)
{
    size_t n = view_push(&h->view, utf8, len, !h->twice);
    if (n < len) {
        h->twice = true;
        h->with_comments = h->view;
        h->with_comments.comments_shown = true;
        view_push(&h->view, utf8 + n, len - n, false);
        view_push(&h->with_comments, utf8 + n, len - n, false);
    } else if (h->twice) {
        view_push(&h->with_comments, utf8, len, false);
    }
}

static unsigned view_end(struct sg_html_view *v)
{
    if (v->state == DECIMAL || v->state == HEXADECIMAL)
        number_push(v);
    else if (v->state == NAMED)
        named_end(v, false);
    return v->all.found | v->visible.found | v->values.found;
}

unsigned sg_html_end(struct sg_html *h)
{
    unsigned words = view_end(&h->view);
    return h->twice ? words | view_end(&h->with_comments) : words;
}
