/* What the files of this folder share: the machine's state, and who changes what of it. */
#ifndef SG_RTF_RTF_INTERNAL_H
#define SG_RTF_RTF_INTERNAL_H

#include "rtf/codepage.h"
#include "rtf/rtf.h"
#include "rtf/words.h"

#define OUT_BYTES 2048
#define ANSI      1252

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

/* characters.c: what is text, to the views that want it */

void sg_rtf_flush(struct sg_rtf *r, enum sg_rtf_view view);
/* A whole character. */
void sg_rtf_character(struct sg_rtf *r, uint32_t c);
/* A code unit of \u: UTF-16, or a whole character of those who do not keep to it. */
void sg_rtf_unicode(struct sg_rtf *r, int64_t n);
/* A byte in the current code page. */
void sg_rtf_text_byte(struct sg_rtf *r, uint8_t b);
/* What was begun and cannot be completed any more is U+FFFD. */
void sg_rtf_break_off(struct sg_rtf *r);

/* format.c: groups, fonts, where text goes */

void sg_rtf_group_open(struct sg_rtf *r);
void sg_rtf_group_close(struct sg_rtf *r);
void sg_rtf_go_to(struct sg_rtf *r, enum destination destination);
/* Does what a control word says. */
void sg_rtf_act(struct sg_rtf *r, const struct sg_rtf_word *word, bool has_number, int64_t n);

#endif
