#include "idna/idna.h"

#include <idn2.h>

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
    const char *ascii = rc == IDN2_OK ? sg_arena_strdup(arena, (const char *)out) : NULL;
    idn2_free(out);
    return ascii;
}
