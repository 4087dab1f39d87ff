#include "idna/idna.h"

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

const char *sg_idna_ascii(struct sg_arena *arena, const char *name)
{
    const unsigned char *p = (const unsigned char *)name;
    while (*p && *p < 0x80)
        p++;
    if (!*p)
        return name;
    uint8_t *out = NULL;
    int rc = idn2_lookup_u8((const uint8_t *)name, &out,
                            IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
    char *ascii = rc == IDN2_OK ? sg_arena_strdup(arena, (const char *)out) : NULL;
    idn2_free(out);
    return ascii && stops_tidy(ascii) ? ascii : NULL;
}
