#include "trigger/trigger_internal.h"

/*
 * Unstructured fields (RFC 5322 §2.2.1) with encoded words (RFC 2047). Readers decode them wherever
 * they stand, also where they may not, so does this. Adjacent words of one charset are one text: a
 * character may be cut in two between them, though it may not.
 */

#define PIECE 512

struct field {
    struct sg_words words[SG_CHARSET_READINGS]; /* one for each reading of a charset */
    char label[SG_CHARSET_NAME];                /* of the converters that are open */
    struct sg_charset charsets[SG_CHARSET_READINGS];
    size_t charset_count;
    const char *trouble;
};

/* Matchers that take the same octets. */
struct group {
    struct sg_words *words;
    size_t count;
};

static void group_out(void *ctx, const uint8_t *utf8, size_t len)
{
    const struct group *g = ctx;
    for (size_t i = 0; i < g->count; i++)
        sg_words_push(&g->words[i], utf8, len);
}

static void literal(struct field *f, const uint8_t *p, const uint8_t *end)
{
    struct group all = {f->words, SG_CHARSET_READINGS};
    group_out(&all, p, (size_t)(end - p));
}

/* A charset with few readings has its last one in the place of those that others have. */
static void decoded(struct field *f, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < f->charset_count; i++) {
        bool last = i + 1 == f->charset_count;
        struct group group = {&f->words[i], last ? SG_CHARSET_READINGS - i : 1};
        sg_charset_push(&f->charsets[i], data, len, group_out, &group);
    }
}

static void charsets_close(struct field *f)
{
    for (size_t i = 0; i < f->charset_count; i++)
        sg_charset_close(&f->charsets[i]);
    f->charset_count = 0;
}

static void charsets_open(struct field *f, struct sg_bytes label)
{
    char name[SG_CHARSET_NAME];
    size_t n = 0;
    for (; n < label.len && n < sizeof name - 1 && label.data[n] != '*'; n++) /* RFC 2231 §5 */
        name[n] = (char)label.data[n];
    name[n] = 0;
    if (f->charset_count && strcmp(name, f->label) == 0)
        return;
    charsets_close(f);
    memcpy(f->label, name, n + 1);
    struct sg_charset_readings readings;
    sg_charset_readings(name, &readings);
    if (readings.unknown)
        f->trouble = "unknown charset";
    for (size_t i = 0; i < readings.count; i++) {
        if (sg_charset_open(&f->charsets[f->charset_count], readings.names[i]))
            f->charset_count++;
        else
            f->trouble = "unknown charset";
    }
}

/* The octets of an encoded word's text. */
static void text_decode(struct field *f, enum sg_transfer transfer, const uint8_t *p,
                        const uint8_t *end)
{
    struct sg_transfer_decoder d = {.kind = transfer};
    uint8_t in[PIECE], out[PIECE + SG_TRANSFER_ROOM];
    while (p < end) {
        size_t n = 0;
        for (; n < PIECE && p < end; p++) /* in the Q encoding a '_' is a space */
            in[n++] = transfer == SG_TRANSFER_QUOTED && *p == '_' ? ' ' : *p;
        decoded(f, out, sg_transfer_decode(&d, in, n, out));
    }
    decoded(f, out, sg_transfer_end(&d, out));
    if (d.broken)
        f->trouble = "broken base64";
}

static const uint8_t *find_pair(const uint8_t *p, const uint8_t *end, const char pair[2])
{
    const uint8_t *at = end - p >= 2 ? memmem(p, (size_t)(end - p), pair, 2) : NULL;
    return at ? at : end;
}

struct encoded_word {
    struct sg_bytes charset;
    enum sg_transfer transfer;
    const uint8_t *text;
};

/* What stands before the text of an encoded word, at its "=?". */
static bool word_begins(const uint8_t *p, const uint8_t *end, struct encoded_word *word_r)
{
    const uint8_t *name = p + 2;
    const uint8_t *q =
        memchr(name, '?', (size_t)(end - name < SG_CHARSET_NAME ? end - name : SG_CHARSET_NAME));
    if (!q || end - q < 3 || q[2] != '?' || !strchr("QqBb", q[1]) || q[1] == 0)
        return false;
    word_r->charset = sg_bytes_of(name, (size_t)(q - name));
    word_r->transfer = q[1] == 'Q' || q[1] == 'q' ? SG_TRANSFER_QUOTED : SG_TRANSFER_BASE64;
    word_r->text = q + 3;
    return true;
}

static bool is_white(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p == end;
}

static void field_decode(struct field *f, struct sg_bytes value)
{
    const uint8_t *p = value.data, *end = p + value.len, *close = NULL;
    bool behind_word = false;
    while (p < end) {
        const uint8_t *open = find_pair(p, end, "=?");
        struct encoded_word word;
        bool is_word = open < end && word_begins(open, end, &word);
        if (!(behind_word && is_word && is_white(p, open))) /* RFC 2047 §6.2 */
            literal(f, p, open);
        if (open == end)
            return;
        behind_word = is_word;
        if (!is_word) {
            literal(f, open, open + 2);
            p = open + 2;
            continue;
        }
        /* Where its end is missing, or lies behind the beginning of another, it ends there. */
        if (!close || close < word.text)
            close = find_pair(word.text, end, "?=");
        const uint8_t *next = find_pair(word.text, close, "=?");
        charsets_open(f, word.charset);
        text_decode(f, word.transfer, word.text, next);
        p = next < close || close == end ? next : close + 2;
    }
}

void sg_field_scan(struct sg_scan *scan, struct sg_bytes value, const char *where)
{
    struct field f = {.trouble = NULL};
    struct sg_words as_written = {0};
    sg_words_push(&as_written, value.data, value.len);
    if (value.len)
        field_decode(&f, value);
    charsets_close(&f);
    unsigned words = as_written.found;
    for (size_t i = 0; i < SG_CHARSET_READINGS; i++)
        words |= f.words[i].found;
    sg_report_words(scan, words, where);
    if (f.trouble)
        sg_report_undecodable(scan, where, f.trouble);
}
