#include "idna/idna.h"

#include <ctype.h>
#include <idn2.h>
#include <string.h>

/* A stop may come out of a character that is none: of the last one the root is left out, as in
 * ASCII. */
static bool stops_tidy(char *name)
{
    size_t n = strlen(name);
    if (n && name[n - 1] == '.')
        name[--n] = 0;
    return n && name[0] != '.' && name[n - 1] != '.' && !strstr(name, "..");
}

/* libidn2 2.3.3 asked for the rules of STD 3 leaves out what they disallow, and makes other
 * people's names of it: so the lookup is without them, and they are kept here. */
static bool is_of_domain(const char *name)
{
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
            return false;
    return true;
}

const char *sg_idna_ascii(struct sg_arena *arena, const char *name)
{
    const unsigned char *p = (const unsigned char *)name;
    while (*p && *p < 0x80)
        p++;
    if (!*p)
        return name;
    uint8_t *out = NULL;
    int rc = idn2_lookup_u8((const uint8_t *)name, &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    char *ascii = rc == IDN2_OK ? sg_arena_strdup(arena, (const char *)out) : NULL;
    idn2_free(out);
    return ascii && is_of_domain(ascii) && stops_tidy(ascii) ? ascii : NULL;
}
