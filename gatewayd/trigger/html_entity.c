#include "trigger/html.h"

/*
 * Character references by name (HTML standard, §13.5). Those are here that stand for something a
 * trigger word may contain, and the markup's own; of the more than two thousand others it is enough
 * that they are none of these.
 */
static const struct entity {
    const char *name;
    size_t len;
    uint32_t code;
    bool bare; /* known without ';' too, whatever follows it */
} entities[] = {
#define NAMED(name, code, bare)                                                                    \
    {                                                                                              \
        name, sizeof name - 1, code, bare                                                          \
    }
    /* In the order of their first letters: a message may have a reference every three octets. */
    NAMED("AMP", '&', true),
    NAMED("ApplyFunction", 0x2061, false),
    NAMED("GT", '>', true),
    NAMED("InvisibleComma", 0x2063, false),
    NAMED("InvisibleTimes", 0x2062, false),
    NAMED("LT", '<', true),
    NAMED("MediumSpace", 0x205f, false),
    NAMED("NegativeMediumSpace", 0x200b, false),
    NAMED("NegativeThickSpace", 0x200b, false),
    NAMED("NegativeThinSpace", 0x200b, false),
    NAMED("NegativeVeryThinSpace", 0x200b, false),
    NAMED("NewLine", '\n', false),
    NAMED("NoBreak", 0x2060, false),
    NAMED("NonBreakingSpace", 0xa0, false),
    NAMED("QUOT", '"', true),
    NAMED("Tab", '\t', false),
    NAMED("ThickSpace", 0x2005, false),
    NAMED("ThinSpace", 0x2009, false),
    NAMED("VeryThinSpace", 0x200a, false),
    NAMED("ZeroWidthSpace", 0x200b, false),
    NAMED("af", 0x2061, false),
    NAMED("amp", '&', true),
    NAMED("dash", 0x2010, false),
    NAMED("emsp", 0x2003, false),
    NAMED("emsp13", 0x2004, false),
    NAMED("emsp14", 0x2005, false),
    NAMED("ensp", 0x2002, false),
    NAMED("gt", '>', true),
    NAMED("hairsp", 0x200a, false),
    NAMED("horbar", 0x2015, false),
    NAMED("hyphen", 0x2010, false),
    NAMED("ic", 0x2063, false),
    NAMED("it", 0x2062, false),
    NAMED("lbrack", '[', false),
    NAMED("lrm", 0x200e, false),
    NAMED("lsqb", '[', false),
    NAMED("lt", '<', true),
    NAMED("mdash", 0x2014, false),
    NAMED("minus", 0x2212, false),
    NAMED("nbsp", 0xa0, true),
    NAMED("ndash", 0x2013, false),
    NAMED("numsp", 0x2007, false),
    NAMED("puncsp", 0x2008, false),
    NAMED("quot", '"', true),
    NAMED("rbrack", ']', false),
    NAMED("rlm", 0x200f, false),
    NAMED("rsqb", ']', false),
    NAMED("shy", 0xad, true),
    NAMED("thinsp", 0x2009, false),
    NAMED("zwj", 0x200d, false),
    NAMED("zwnj", 0x200c, false),
#undef NAMED
};

#define ENTITIES (sizeof entities / sizeof *entities)

/* The first one that does not begin with a letter before this one. */
static size_t letter_find(char letter)
{
    size_t from = 0, to = ENTITIES;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (*entities[middle].name < letter)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

uint32_t sg_html_entity(const char *name, size_t len, bool ended, size_t *rest_r)
{
    const struct entity *beginning = NULL;
    *rest_r = 0;
    for (size_t i = len ? letter_find(*name) : ENTITIES; i < ENTITIES && *entities[i].name == *name;
         i++) {
        const struct entity *e = &entities[i];
        if (e->len > len || (!ended && !e->bare) || memcmp(name, e->name, e->len) != 0)
            continue;
        if (e->len == len)
            return e->code;
        if (e->bare)
            beginning = e;
    }
    if (!beginning)
        return ended ? 0xfffd : 0;
    *rest_r = len - beginning->len;
    return beginning->code;
}
