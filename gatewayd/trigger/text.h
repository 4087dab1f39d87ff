/*
 * One text in all of its readings: charsets (charset.h), as plain text, as HTML, or as both. The
 * first octets are held back until it is known what they say about the charset (a mark, HTML's
 * meta, XML's declaration). A reading begins for each charset; the words of all of them count.
 */
#ifndef SG_TRIGGER_TEXT_H
#define SG_TRIGGER_TEXT_H

#include "trigger/charset.h"
#include "trigger/html.h"
#include "trigger/words.h"

#define SG_TEXT_HEAD     1024
#define SG_TEXT_READINGS 6

enum {
    SG_TEXT_PLAIN = 1,
    SG_TEXT_HTML = 2,
    SG_TEXT_ENRICHED = 4, /* HTML in the manner of text/enriched */
    SG_TEXT_ESCAPED = 8   /* plain text in which "\\n" is a line break (RFC 5545 §3.3.11) */
};

struct sg_text_reading {
    struct sg_charset charset;
    const char *name;
    struct sg_words words;
    bool unescape, backslash;
    struct sg_html *html;
};

struct sg_text {
    unsigned forms;                 /* OR of SG_TEXT_… */
    char label[SG_CHARSET_NAME];    /* of the part's header, cleaned */
    char declared[SG_CHARSET_NAME]; /* by the text itself */
    const char *trouble;            /* why something of it could not be read; NULL */
    bool begun;
    size_t head_len;
    uint8_t head[SG_TEXT_HEAD];
    size_t reading_count;
    struct sg_text_reading readings[SG_TEXT_READINGS];
};

/* label: the charset parameter, NULL for none. */
void sg_text_begin(struct sg_text *t, unsigned forms, const char *label);
void sg_text_push(struct sg_text *t, const uint8_t *data, size_t len);
/* Gives back what it took, and the words. */
unsigned sg_text_end(struct sg_text *t);

#endif
