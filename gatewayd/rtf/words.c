#include "rtf/words.h"

#include <stdlib.h>
#include <string.h>

/* Sorted by name, in the order of strcmp(). */
static const struct sg_rtf_word words[] = {
    {"annotation", SG_RTF_TO_ASIDE, 0},
    {"ansi", SG_RTF_CHARSET, 1252},
    {"ansicpg", SG_RTF_ANSICPG, 0},
    {"bin", SG_RTF_BIN, 0},
    {"bullet", SG_RTF_CHARACTER, 0x2022},
    {"caps", SG_RTF_CAPS, 0},
    {"cell", SG_RTF_CHARACTER, '\t'},
    {"colortbl", SG_RTF_SKIP, 0},
    {"column", SG_RTF_CHARACTER, '\n'},
    {"cpg", SG_RTF_CPG, 0},
    {"deff", SG_RTF_DEFF, 0},
    {"deleted", SG_RTF_DELETED, 0},
    {"do", SG_RTF_TO_ASIDE, 0},
    {"dptxbxtext", SG_RTF_TO_ASIDE, 0},
    {"emdash", SG_RTF_CHARACTER, 0x2014},
    {"emspace", SG_RTF_CHARACTER, 0x2003},
    {"endash", SG_RTF_CHARACTER, 0x2013},
    {"enspace", SG_RTF_CHARACTER, 0x2002},
    {"f", SG_RTF_FONT, 0},
    {"fcharset", SG_RTF_FCHARSET, 0},
    {"fldinst", SG_RTF_SKIP, 0},
    {"fonttbl", SG_RTF_FONT_TABLE, 0},
    {"footer", SG_RTF_TO_ASIDE, 0},
    {"footerf", SG_RTF_TO_ASIDE, 0},
    {"footerl", SG_RTF_TO_ASIDE, 0},
    {"footerr", SG_RTF_TO_ASIDE, 0},
    {"footnote", SG_RTF_TO_ASIDE, 0},
    {"fromhtml", SG_RTF_FROMHTML, 0},
    {"header", SG_RTF_TO_ASIDE, 0},
    {"headerf", SG_RTF_TO_ASIDE, 0},
    {"headerl", SG_RTF_TO_ASIDE, 0},
    {"headerr", SG_RTF_TO_ASIDE, 0},
    {"htmlrtf", SG_RTF_HTMLRTF, 0},
    {"htmltag", SG_RTF_TO_HTML, 0},
    {"info", SG_RTF_SKIP, 0},
    {"ldblquote", SG_RTF_CHARACTER, 0x201c},
    {"line", SG_RTF_CHARACTER, '\n'},
    {"lquote", SG_RTF_CHARACTER, 0x2018},
    {"mac", SG_RTF_CHARSET, 10000},
    {"moMath", SG_RTF_TO_ASIDE, 0},
    {"nestcell", SG_RTF_CHARACTER, '\t'},
    {"nestrow", SG_RTF_CHARACTER, '\n'},
    {"nonesttables", SG_RTF_SKIP, 0},
    {"objdata", SG_RTF_SKIP, 0},
    {"page", SG_RTF_CHARACTER, '\n'},
    {"par", SG_RTF_CHARACTER, '\n'},
    {"pc", SG_RTF_CHARSET, 437},
    {"pca", SG_RTF_CHARSET, 850},
    {"pict", SG_RTF_SKIP, 0},
    {"plain", SG_RTF_PLAIN, 0},
    {"pn", SG_RTF_KEEP, 0},
    {"pnseclvl", SG_RTF_KEEP, 0},
    {"pntxta", SG_RTF_TO_ASIDE, 0},
    {"pntxtb", SG_RTF_TO_ASIDE, 0},
    {"private", SG_RTF_SKIP, 0},
    {"qmspace", SG_RTF_CHARACTER, 0x2005},
    {"rdblquote", SG_RTF_CHARACTER, 0x201d},
    {"row", SG_RTF_CHARACTER, '\n'},
    {"rquote", SG_RTF_CHARACTER, 0x2019},
    {"rtf", SG_RTF_DOCUMENT, 0},
    {"scaps", SG_RTF_SCAPS, 0},
    {"sect", SG_RTF_CHARACTER, '\n'},
    {"shpinst", SG_RTF_TO_ASIDE, 0},
    {"shprslt", SG_RTF_TO_ASIDE, 0},
    {"shptxt", SG_RTF_TO_ASIDE, 0},
    {"sn", SG_RTF_SKIP, 0},
    {"stylesheet", SG_RTF_SKIP, 0},
    {"sv", SG_RTF_TO_ASIDE, 0},
    {"tab", SG_RTF_CHARACTER, '\t'},
    {"u", SG_RTF_UNICODE, 0},
    {"uc", SG_RTF_UC, 0},
    {"ud", SG_RTF_UD, 0},
    {"upr", SG_RTF_UPR, 0},
    {"v", SG_RTF_HIDDEN, 0},
};

static int compare(const void *name, const void *word)
{
    return strcmp(name, ((const struct sg_rtf_word *)word)->name);
}

const struct sg_rtf_word *sg_rtf_word_find(const char *name)
{
    return bsearch(name, words, sizeof words / sizeof words[0], sizeof words[0], compare);
}
