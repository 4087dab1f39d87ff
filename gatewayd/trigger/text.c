#include "trigger/text.h"

#include <ctype.h>
#include <stdlib.h>

/* "\\n" becomes a line break, "\\," what it protects. */
static void unescape(struct sg_text_reading *r, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        if (r->backslash) {
            bool line = *p == 'n' || *p == 'N';
            sg_words_push(&r->words, line ? (const uint8_t *)"\n" : p, 1);
            r->backslash = false;
            p++;
            continue;
        }
        const uint8_t *next = memchr(p, '\\', (size_t)(end - p));
        sg_words_push(&r->words, p, (size_t)((next ? next : end) - p));
        r->backslash = next != NULL;
        p = next ? next + 1 : end;
    }
}

static void reading_out(void *ctx, const uint8_t *utf8, size_t len)
{
    struct sg_text_reading *r = ctx;
    if (r->unescape)
        unescape(r, utf8, utf8 + len);
    else
        sg_words_push(&r->words, utf8, len);
}

static void reading_out_html(void *ctx, const uint8_t *utf8, size_t len)
{
    struct sg_text_reading *r = ctx;
    sg_html_push(r->html, utf8, len);
}

static void reading_out_both(void *ctx, const uint8_t *utf8, size_t len)
{
    reading_out(ctx, utf8, len);
    reading_out_html(ctx, utf8, len);
}

static void reading_add(struct sg_text *t, const char *name)
{
    for (size_t i = 0; i < t->reading_count; i++)
        if (t->readings[i].name == name ||
            (name && t->readings[i].name && strcasecmp(t->readings[i].name, name) == 0))
            return;
    if (t->reading_count == SG_TEXT_READINGS) {
        t->trouble = "more charsets are named than can be tried";
        return;
    }
    struct sg_text_reading *r = &t->readings[t->reading_count];
    *r = (struct sg_text_reading){.name = NULL};
    if (!sg_charset_open(&r->charset, name)) {
        t->trouble = "unknown charset";
        return;
    }
    r->unescape = t->forms & SG_TEXT_ESCAPED;
    if (t->forms & (SG_TEXT_HTML | SG_TEXT_ENRICHED)) {
        r->html = calloc(1, sizeof *r->html);
        if (!r->html)
            abort();
        r->html->view.enriched = t->forms & SG_TEXT_ENRICHED;
    }
    r->name = name;
    t->reading_count++;
}

static void readings_add(struct sg_text *t, const char *label, char kept[SG_CHARSET_NAME])
{
    struct sg_charset_readings r;
    sg_charset_readings(label, &r);
    if (r.unknown)
        t->trouble = "unknown charset";
    for (size_t i = 0; i < r.count; i++) {
        const char *name = r.names[i];
        if (name == r.name) {
            memcpy(kept, r.name, SG_CHARSET_NAME);
            name = kept;
        }
        reading_add(t, name);
    }
}

void sg_text_begin(struct sg_text *t, unsigned forms, const char *label)
{
    t->forms = forms;
    t->trouble = NULL;
    t->begun = false;
    t->head_len = t->reading_count = 0;
    t->label[0] = 0;
    readings_add(t, label, t->label);
}

/* What a text says about its own charset ------------------------------------------------------ */

/* The name behind "charset=" or "encoding=" in the text's first octets, if there is one. */
static bool declared(const struct sg_text *t, const char *key, char label[SG_CHARSET_NAME])
{
    size_t key_len = strlen(key);
    for (size_t i = 0; i + key_len < t->head_len; i++) {
        if (strncasecmp((const char *)t->head + i, key, key_len) != 0)
            continue;
        size_t at = i + key_len, n = 0;
        while (at < t->head_len && strchr(" \t\r\n", t->head[at]) && t->head[at])
            at++;
        if (at == t->head_len || t->head[at++] != '=')
            continue;
        while (at < t->head_len && t->head[at] && strchr(" \t\r\n\"'", t->head[at]))
            at++;
        while (at < t->head_len && n < SG_CHARSET_NAME - 1 && t->head[at] > ' ' &&
               t->head[at] < 0x7f && !strchr("\"'<>;/?", t->head[at]))
            label[n++] = (char)t->head[at++];
        label[n] = 0;
        if (n)
            return true;
    }
    return false;
}

static bool head_is(const struct sg_text *t, const char *mark, size_t len)
{
    return t->head_len >= len && memcmp(t->head, mark, len) == 0;
}

static void push(struct sg_text *t, const uint8_t *data, size_t len)
{
    bool html = t->forms & (SG_TEXT_HTML | SG_TEXT_ENRICHED), plain = t->forms & SG_TEXT_PLAIN;
    sg_utf8_out *out = html && plain ? reading_out_both : html ? reading_out_html : reading_out;
    for (size_t i = 0; i < t->reading_count; i++)
        sg_charset_push(&t->readings[i].charset, data, len, out, &t->readings[i]);
}

static void begin(struct sg_text *t)
{
    static const char *const marks[] = {"+/v8", "+/v9", "+/v+", "+/v/"};
    char label[SG_CHARSET_NAME];
    t->begun = true;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (head_is(t, marks[i], 4))
            reading_add(t, "UTF-7");
    if (head_is(t, "\xff\xfe", 2) || head_is(t, "\xfe\xff", 2)) {
        reading_add(t, "UTF-16BE");
        reading_add(t, "UTF-16LE");
    }
    if (t->forms != SG_TEXT_PLAIN &&
        (declared(t, "charset", label) || declared(t, "encoding", label)))
        readings_add(t, label, t->declared);
    push(t, t->head, t->head_len);
}

void sg_text_push(struct sg_text *t, const uint8_t *data, size_t len)
{
    if (!t->begun) {
        size_t n = len < sizeof t->head - t->head_len ? len : sizeof t->head - t->head_len;
        memcpy(t->head + t->head_len, data, n);
        t->head_len += n;
        data += n;
        len -= n;
        if (t->head_len < sizeof t->head)
            return;
        begin(t);
    }
    if (len)
        push(t, data, len);
}

unsigned sg_text_end(struct sg_text *t)
{
    unsigned words = 0;
    if (!t->begun)
        begin(t);
    for (size_t i = 0; i < t->reading_count; i++) {
        struct sg_text_reading *r = &t->readings[i];
        words |= r->words.found;
        if (r->html)
            words |= sg_html_end(r->html);
        /* More than here and there an octet: the label does not fit, or it is no text. */
        if (r->charset.bad > 16 + r->charset.octets / 8)
            t->trouble = "not in the charset that it names";
        free(r->html);
        sg_charset_close(&r->charset);
    }
    t->reading_count = 0;
    return words;
}
