/*
 * The matcher: a small state machine over UTF-8 that is pushed in pieces of any size.
 *
 * A trigger word is '[', its letters in upper case, ']'. Between the brackets these are passed
 * over: white space and line breaks of any kind (with a quotation's '>' at the beginning of a
 * line), control characters, characters that nobody sees (zero width, soft hyphen, direction,
 * variation), and octets that are no UTF-8. IN-CONFIDENCE and TOP SECRET may have a hyphen, a dash,
 * a space or nothing between their two halves. Full-width forms (U+FF01 to U+FF5E) are the letters
 * and brackets that they show. Anything else, a lower-case letter above all, makes it no trigger
 * word.
 */
#ifndef SG_TRIGGER_WORDS_H
#define SG_TRIGGER_WORDS_H

#include "common/bytes.h"

struct sg_words {   /* all zero to begin with */
    unsigned found; /* OR of sg_trigger_word: the words so far */
    uint8_t alive;  /* candidates behind an open bracket; 0: none is open */
    uint8_t letters;
    bool line_start;
    uint8_t need; /* octets that a character still needs */
    uint32_t code;
};

void sg_words_push(struct sg_words *w, const void *utf8, size_t len);
/* A character that is none of a word's. */
void sg_words_interrupt(struct sg_words *w);

#endif
