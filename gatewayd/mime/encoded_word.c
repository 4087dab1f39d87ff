/* Encoded words (RFC 2047) for people to read. Walks once; what is no such word stays as it is. */
#include "mime/header.h"

#include "common/buf.h"
#include "mime/digits.h"

#include <iconv.h>
#include <stdlib.h>

#define CHARSET_MAX 40
#define CHARSETS    8              /* of one field; what is in others is unknown */
#define WORD_MAX    1000           /* of a word's text: §2 allows 75 in all */
#define UNKNOWN     "\xef\xbf\xbd" /* U+FFFD */

struct word {
    char charset[CHARSET_MAX];
    bool base64;
    struct sg_bytes text;
};

/* Open until the field is done, so that its tables stay loaded: that takes far longer than to use
 * them. */
struct charset {
    char name[CHARSET_MAX];
    iconv_t held; /* (iconv_t)-1: nobody knows it */
};

/* What words that follow each other hold of one charset: a character may be split among them. */
struct run {
    char charset[CHARSET_MAX];
    struct sg_buf octets;
    struct charset charsets[CHARSETS];
    size_t charset_count;
};

/* The word that begins at s, "=?charset?Q?text?="; *end_r is behind it. A language (RFC 2231 §5) is
 * dropped. */
static bool word_read(const char *s, struct word *w, const char **end_r)
{
    const char *name = s + 2;
    size_t n = strcspn(name, "?* \t"), language = strcspn(name + n, "? \t");
    const char *mark = name + n + language;
    if (n == 0 || n >= CHARSET_MAX || language >= CHARSET_MAX || mark[0] != '?' ||
        !strchr("QqBb", mark[1]) || !mark[1] || mark[2] != '?')
        return false;
    const char *text = mark + 3;
    size_t most = strnlen(text, WORD_MAX);
    const char *end = memmem(text, most, "?=", 2);
    if (!end || memchr(text, ' ', (size_t)(end - text)) || memchr(text, '\t', (size_t)(end - text)))
        return false;
    memcpy(w->charset, name, n);
    w->charset[n] = 0;
    w->base64 = mark[1] == 'B' || mark[1] == 'b';
    w->text = sg_bytes_of(text, (size_t)(end - text));
    *end_r = end + 2;
    return true;
}

static void quoted_add(struct sg_bytes in, struct sg_buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i] == '_' ? ' ' : in.data[i];
        if (c == '=' && i + 2 < in.len && sg_hex_digit(in.data[i + 1]) >= 0 &&
            sg_hex_digit(in.data[i + 2]) >= 0) {
            c = (uint8_t)(sg_hex_digit(in.data[i + 1]) << 4 | sg_hex_digit(in.data[i + 2]));
            i += 2;
        }
        sg_buf_add(out, &c, 1);
    }
}

static void base64_add(struct sg_bytes in, struct sg_buf *out)
{
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < in.len; i++) {
        int digit = sg_base64_digit(in.data[i]);
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            uint8_t c = (uint8_t)(bits >> (have -= 8));
            sg_buf_add(out, &c, 1);
        }
    }
}

static void convert(iconv_t cd, struct sg_bytes octets, struct sg_buf *out)
{
    char *in = (char *)octets.data;
    size_t left = octets.len;
    while (left) {
        char text[256], *to = text;
        size_t room = sizeof text;
        size_t n = iconv(cd, &in, &left, &to, &room);
        sg_buf_add(out, text, sizeof text - room);
        if (n != (size_t)-1 || room < 8)
            continue;
        sg_buf_adds(out, UNKNOWN); /* no character of it, or half of one */
        if (left == 0)             /* glibc's may complain about what it has already taken */
            break;
        in++;
        left--;
        iconv(cd, NULL, NULL, NULL, NULL);
    }
}

/* Is it one of those that are held, or may it become one? */
static bool is_held(struct run *r)
{
    for (size_t i = 0; i < r->charset_count; i++)
        if (strcasecmp(r->charsets[i].name, r->charset) == 0)
            return r->charsets[i].held != (iconv_t)-1;
    if (r->charset_count == CHARSETS)
        return false;
    struct charset *c = &r->charsets[r->charset_count++];
    memcpy(c->name, r->charset, sizeof c->name);
    c->held = iconv_open("UTF-8", r->charset);
    return c->held != (iconv_t)-1;
}

static void run_free(struct run *r)
{
    for (size_t i = 0; i < r->charset_count; i++)
        if (r->charsets[i].held != (iconv_t)-1)
            iconv_close(r->charsets[i].held);
    sg_buf_free(&r->octets);
}

static void run_end(struct run *r, struct sg_buf *out)
{
    struct sg_bytes octets = sg_buf_bytes(&r->octets);
    /* One of its own: that of the run before may have seen a mark of the order of octets. */
    iconv_t cd = octets.len && is_held(r) ? iconv_open("UTF-8", r->charset) : (iconv_t)-1;
    if (cd != (iconv_t)-1) {
        convert(cd, octets, out);
        iconv_close(cd);
    } else {
        for (size_t i = 0; i < octets.len; i++)
            if (octets.data[i] < 0x80)
                sg_buf_add(out, &octets.data[i], 1);
            else
                sg_buf_adds(out, UNKNOWN);
    }
    sg_buf_clear(&r->octets);
}

static void word_add(struct run *r, const struct word *w, struct sg_buf *out)
{
    if (strcasecmp(r->charset, w->charset) != 0) {
        run_end(r, out);
        memcpy(r->charset, w->charset, sizeof r->charset);
    }
    if (w->base64)
        base64_add(w->text, &r->octets);
    else
        quoted_add(w->text, &r->octets);
}

char *sg_header_decode(struct sg_arena *arena, const char *value)
{
    SG_AUTO_BUF out = {0};
    struct run run = {.charset = ""};
    bool behind_word = false;
    for (const char *p = value; *p;) {
        struct word w;
        const char *open = strstr(p, "=?"), *end;
        if (open && behind_word && strspn(p, " \t") == (size_t)(open - p) &&
            word_read(open, &w, &end))
            p = open; /* white space between two words is not shown (§6.2) */
        if (open == p && word_read(open, &w, &end)) {
            word_add(&run, &w, &out);
            behind_word = true;
            p = end;
            continue;
        }
        run_end(&run, &out);
        behind_word = false;
        size_t n = open == p ? 2 : open ? (size_t)(open - p) : strlen(p);
        sg_buf_add(&out, p, n);
        p += n;
    }
    run_end(&run, &out);
    run_free(&run);
    for (size_t i = 0; i < out.len; i++)
        if (out.data[i] == 0)
            out.data[i] = ' ';
    return sg_arena_str(arena, sg_buf_bytes(&out));
}
