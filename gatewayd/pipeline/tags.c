#include "pipeline/tags.h"

#include "mime/lex.h"
#include "trigger/charset.h"
#include "trigger/transfer.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define LINE 60
#define MOST                                                                                       \
    8192 /* octets of an encoded word that are looked at; 75 by RFC 2047, not everybody counts */
#define WORD                                                                                       \
    33 /* octets of text in an encoded word: with what is around it, and the field's name, a line  \
        */

/* The field's text as a reader shows it, on the way into a buffer; a tag goes as soon as it is
 * whole, so that one which is made of the halves of another goes too. */
struct text {
    struct sg_buf out;
    const char *tags;
    bool removed;
};

bool sg_tags_valid(const char *tags)
{
    while (*tags) {
        if (*tags == ' ' || *tags == ',') {
            tags++;
            continue;
        }
        size_t n = strcspn(tags + 1, "[]");
        if (*tags != '[' || n == 0 || tags[1 + n] != ']')
            return false;
        tags += n + 2;
    }
    return true;
}

/* Length of the blank or invisible character that ends at p + n. */
static size_t filler_before(const uint8_t *p, size_t n)
{
    static const char *const fillers[] = {" ",
                                          "\t",
                                          "\xc2\xa0",
                                          "\xc2\xad",
                                          "\xe2\x80\x8b",
                                          "\xe2\x80\x8c",
                                          "\xe2\x80\x8d",
                                          "\xe2\x80\x8e",
                                          "\xe2\x80\x8f",
                                          "\xe2\x81\xa0",
                                          "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
        size_t len = strlen(fillers[i]);
        if (n >= len && memcmp(p + n - len, fillers[i], len) == 0)
            return len;
    }
    return 0;
}

/* Does the text end with this tag? Where it begins. */
static bool ends_with(const struct sg_buf *text, const char *tag, size_t len, size_t *start_r)
{
    size_t n = text->len, filler;
    while (len) {
        int wanted = tolower((unsigned char)tag[--len]);
        if (wanted == ' ')
            continue;
        while ((filler = filler_before(text->data, n)))
            n -= filler;
        if (n == 0 || tolower(text->data[n - 1]) != wanted)
            return false;
        n--;
    }
    *start_r = n;
    return true;
}

static void tag_remove(struct text *t)
{
    size_t start;
    for (const char *tag = t->tags; (tag = strchr(tag, '[')); tag++) {
        if (!ends_with(&t->out, tag, strcspn(tag, "]") + 1, &start))
            continue;
        t->out.len = start;
        t->removed = true;
        return;
    }
}

static bool after_blank(const struct sg_buf *text)
{
    return text->len == 0 || text->data[text->len - 1] == ' ' || text->data[text->len - 1] == '\t';
}

static void put(void *ctx, const uint8_t *utf8, size_t len)
{
    struct text *t = ctx;
    for (size_t i = 0; i < len; i++) {
        uint8_t c =
            utf8[i] < 0x20 || utf8[i] == 0x7f ? ' ' : utf8[i]; /* no field within the field */
        if (c == ' ' && t->removed && after_blank(&t->out))
            continue;
        sg_buf_add(&t->out, &c, 1);
        if (c == ']')
            tag_remove(t);
    }
}

static bool charset_open(struct sg_charset *charset, struct sg_bytes label)
{
    char name[SG_CHARSET_NAME];
    struct sg_charset_readings readings;
    size_t n = 0;
    for (; n < label.len && n < sizeof name - 1 && label.data[n] != '*'; n++) /* RFC 2231 §5 */
        name[n] = (char)label.data[n];
    name[n] = 0;
    sg_charset_readings(name, &readings);
    return sg_charset_open(charset, readings.names[0] ? readings.names[0] : name) ||
           sg_charset_open(charset, NULL);
}

/* One encoded word (RFC 2047 §2) at p; what is behind it, NULL: there is none. */
static const uint8_t *word_read(const uint8_t *p, const uint8_t *end, struct text *t)
{
    if (end - p < 2 || p[0] != '=' || p[1] != '?')
        return NULL;
    end = end - p < MOST ? end : p + MOST;
    const uint8_t *label = p + 2, *q = memchr(label, '?', (size_t)(end - label));
    if (!q || end - q < 3 || q[2] != '?' || !q[1] || !strchr("QqBb", q[1]))
        return NULL;
    const uint8_t *body = q + 3, *close = memmem(body, (size_t)(end - body), "?=", 2);
    if (!close)
        return NULL;
    if (!t)
        return close + 2;
    size_t len = (size_t)(close - body);
    uint8_t *octets = malloc(len + 1), *plain = malloc(len + SG_TRANSFER_ROOM);
    struct sg_charset charset;
    bool quoted = q[1] == 'Q' || q[1] == 'q';
    if (!octets || !plain || !charset_open(&charset, sg_bytes_of(label, (size_t)(q - label))))
        abort();
    for (size_t i = 0; i < len; i++)
        octets[i] = quoted && body[i] == '_' ? ' ' : body[i];
    struct sg_transfer_decoder decoder = {.kind = quoted ? SG_TRANSFER_QUOTED : SG_TRANSFER_BASE64};
    sg_charset_push(&charset, plain, sg_transfer_decode(&decoder, octets, len, plain), put, t);
    sg_charset_push(&charset, plain, sg_transfer_end(&decoder, plain), put, t);
    sg_charset_close(&charset);
    free(octets);
    free(plain);
    return close + 2;
}

/* White space between two encoded words is no part of the text. */
static const uint8_t *between_words(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = p;
    while (q < end && (*q == ' ' || *q == '\t' || *q == '\r' || *q == '\n'))
        q++;
    return word_read(q, end, NULL) ? q : p;
}

static void field_read(struct sg_bytes value, struct text *t)
{
    const uint8_t *p = value.data, *end = p + value.len;
    while (p < end) {
        const uint8_t *next = word_read(p, end, t);
        if (next)
            p = between_words(next, end);
        else if (*p == '\r' || *p == '\n') /* folding: the white space behind it stays */
            p++;
        else
            put(t, p++, 1);
    }
}

static bool is_ascii(struct sg_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] >= 0x80)
            return false;
    return true;
}

static void write_as_it_is(struct sg_bytes text, struct sg_buf *out)
{
    for (size_t i = 0, column = 0; i < text.len; i++, column++) {
        bool before_word = i + 1 < text.len && text.data[i + 1] != ' ' && text.data[i + 1] != '\t';
        if (text.data[i] == ' ' && column >= LINE && before_word) { /* no line of blanks alone */
            sg_buf_adds(out, "\r\n");
            column = 0;
        }
        sg_buf_add(out, text.data + i, 1);
    }
}

static void write_encoded(struct sg_bytes text, const char *charset, bool utf8, struct sg_buf *out)
{
    for (size_t at = 0; at < text.len;) {
        size_t n = text.len - at < WORD ? text.len - at : WORD;
        while (utf8 && at + n < text.len && (text.data[at + n] & 0xc0) == 0x80)
            n--; /* no character is cut in two */
        unsigned char base64[WORD / 3 * 4 + 1];
        EVP_EncodeBlock(base64, text.data + at, (int)n);
        sg_buf_addf(out, "%s=?%s?B?%s?=", at ? "\r\n " : "", charset, (char *)base64);
        at += n;
    }
}

/* As it is where it may stand so: what was decoded must not be read as encoded words once more. */
static void text_write(struct sg_bytes text, struct sg_buf *out)
{
    bool words = text.len && memmem(text.data, text.len, "=?", 2), utf8 = sg_lex_utf8(text);
    if (!words && (is_ascii(text) || !utf8))
        write_as_it_is(text, out);
    else
        write_encoded(text, utf8 ? "utf-8" : "unknown-8bit", utf8, out); /* RFC 1428 */
}

bool sg_tags_strip(const char *tags, const struct sg_header *field, struct sg_buf *out)
{
    struct text t = {.tags = tags};
    if (!*tags || !field->value.len)
        return false;
    sg_buf_init(&t.out, 0);
    field_read(field->value, &t);
    struct sg_bytes text = sg_buf_bytes(&t.out);
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = sg_bytes_slice(text, 1, text.len);
    if (t.removed) {
        sg_buf_add(out, field->name.data, field->name.len);
        sg_buf_adds(out, ": ");
        text_write(text, out);
        sg_buf_adds(out, "\r\n");
    }
    sg_buf_free(&t.out);
    return t.removed;
}
