/*
 * The text of HTML, as a stream, cut into tokens as the HTML standard (WHATWG, §13.2.5) says and so
 * as browsers do. Tags leave nothing behind, not even a space, whether inline or block: a word that
 * they part is found either way.
 *
 * Text are character data, hidden or not, and the values of attributes; not what is in script and
 * style. The same is read up to three times, for words that are whole in one way only:
 *  - all character data;
 *  - without what an element hides (display:none, visibility:hidden, font-size:0, hidden);
 *  - with what is in comments, which Outlook shows of conditional ones.
 */
#ifndef SG_TRIGGER_HTML_H
#define SG_TRIGGER_HTML_H

#include "trigger/words.h"

#define SG_HTML_NAME  16
#define SG_HTML_STYLE 128

struct sg_html_view {
    bool comments_shown;
    bool enriched;       /* text/enriched (RFC 1896): what is in "param" is no text */
    uint8_t state, back; /* back: where a character reference stands */
    uint8_t raw;         /* an element whose content has no tags but its own end tag; 0: none */
    bool closing;        /* the tag is an end tag */
    bool slash;          /* the tag's last octet so far is a '/' */
    uint8_t foreign;     /* inside svg or math, where no element is raw; 0: in neither */
    char quote;
    uint8_t dashes; /* of a comment's end, so far; brackets of CDATA's */
    bool begun;     /* the comment: it is longer than "<!--" and dashes */
    bool bang;      /* behind "--!" */
    bool hides;     /* the tag hides its element */
    uint8_t name_len, attr_len, ref_len, style_len;
    char name[SG_HTML_NAME], attr[SG_HTML_NAME], ref[32], style[SG_HTML_STYLE];
    uint32_t number;
    char hider[SG_HTML_NAME];
    uint32_t hidden; /* elements of that name that are open, the hiding one included; 0: none */
    bool parted;     /* something was hidden: visible is not the same as all */
    struct sg_words all, visible, values;
};

struct sg_html {
    bool twice; /* a comment was seen */
    struct sg_html_view view, with_comments;
};

/* All zero to begin with, but for view.enriched. */
void sg_html_push(struct sg_html *h, const uint8_t *utf8, size_t len);
/* The words. */
unsigned sg_html_end(struct sg_html *h);

/* What a character reference by name (without '&' and ';') stands for, as far as it can be in a
 * trigger word; U+FFFD for others. rest_r: octets at its end that belong to the text behind, where
 * the ';' is missing. 0: it is no reference. */
uint32_t sg_html_entity(const char *name, size_t len, bool ended, size_t *rest_r);

#endif
