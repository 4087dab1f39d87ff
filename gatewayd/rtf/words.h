/* The control words of RTF that matter to its text; all others change nothing here. */
#ifndef SG_RTF_WORDS_H
#define SG_RTF_WORDS_H

#include <stddef.h>
#include <stdint.h>

enum sg_rtf_action {
    SG_RTF_NONE,
    SG_RTF_CHARACTER, /* value: what it shows */
    SG_RTF_KEEP,      /* destinations, by where their text goes */
    SG_RTF_TO_ASIDE,
    SG_RTF_TO_HTML,
    SG_RTF_SKIP,
    SG_RTF_FONT_TABLE,
    SG_RTF_UPR,
    SG_RTF_UD,
    SG_RTF_DOCUMENT, /* \rtf */
    SG_RTF_CHARSET,  /* value: code page of the document */
    SG_RTF_ANSICPG,
    SG_RTF_DEFF,
    SG_RTF_FONT,
    SG_RTF_FCHARSET,
    SG_RTF_CPG,
    SG_RTF_UC,
    SG_RTF_UNICODE, /* \u */
    SG_RTF_BIN,
    SG_RTF_PLAIN,
    SG_RTF_HIDDEN,
    SG_RTF_DELETED,
    SG_RTF_CAPS,
    SG_RTF_SCAPS,
    SG_RTF_FROMHTML,
    SG_RTF_HTMLRTF
};

#define SG_RTF_WORD_MAX 32 /* letters of a control word */

struct sg_rtf_word {
    const char *name;
    enum sg_rtf_action action;
    uint32_t value;
};

/* NULL: nothing that matters. */
const struct sg_rtf_word *sg_rtf_word_find(const char *name);

#endif
