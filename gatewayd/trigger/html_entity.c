#include "trigger/html.h"

/*
 * Character references by name (HTML standard, §13.5). Those are here that stand for something a
 * trigger word may contain, and the markup's own; of the more than two thousand others it is enough
 * that they are none of these.
 */
static const struct {
    const char *name;
    uint32_t code;
    bool bare; /* known without ';' too, whatever follows it */
} entities[] = {
    {"lsqb", '[', false},
    {"lbrack", '[', false},
    {"rsqb", ']', false},
    {"rbrack", ']', false},
    {"amp", '&', true},
    {"AMP", '&', true},
    {"lt", '<', true},
    {"LT", '<', true},
    {"gt", '>', true},
    {"GT", '>', true},
    {"quot", '"', true},
    {"QUOT", '"', true},
    {"nbsp", 0xa0, true},
    {"NonBreakingSpace", 0xa0, false},
    {"shy", 0xad, true},
    {"Tab", '\t', false},
    {"NewLine", '\n', false},
    {"ensp", 0x2002, false},
    {"emsp", 0x2003, false},
    {"emsp13", 0x2004, false},
    {"emsp14", 0x2005, false},
    {"numsp", 0x2007, false},
    {"puncsp", 0x2008, false},
    {"thinsp", 0x2009, false},
    {"ThinSpace", 0x2009, false},
    {"hairsp", 0x200a, false},
    {"VeryThinSpace", 0x200a, false},
    {"ThickSpace", 0x2005, false},
    {"MediumSpace", 0x205f, false},
    {"ZeroWidthSpace", 0x200b, false},
    {"NegativeVeryThinSpace", 0x200b, false},
    {"NegativeThinSpace", 0x200b, false},
    {"NegativeMediumSpace", 0x200b, false},
    {"NegativeThickSpace", 0x200b, false},
    {"zwnj", 0x200c, false},
    {"zwj", 0x200d, false},
    {"lrm", 0x200e, false},
    {"rlm", 0x200f, false},
    {"NoBreak", 0x2060, false},
    {"ApplyFunction", 0x2061, false},
    {"af", 0x2061, false},
    {"InvisibleTimes", 0x2062, false},
    {"it", 0x2062, false},
    {"InvisibleComma", 0x2063, false},
    {"ic", 0x2063, false},
    {"hyphen", 0x2010, false},
    {"dash", 0x2010, false},
    {"ndash", 0x2013, false},
    {"mdash", 0x2014, false},
    {"horbar", 0x2015, false},
    {"minus", 0x2212, false},
};

uint32_t sg_html_entity(const char *name, size_t len, bool ended, size_t *rest_r)
{
    *rest_r = 0;
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        size_t n = strlen(entities[i].name);
        if (n == len && memcmp(name, entities[i].name, n) == 0 && (ended || entities[i].bare))
            return entities[i].code;
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        size_t n = strlen(entities[i].name);
        if (entities[i].bare && n < len && memcmp(name, entities[i].name, n) == 0) {
            *rest_r = len - n;
            return entities[i].code;
        }
    }
    return ended ? 0xfffd : 0;
}
