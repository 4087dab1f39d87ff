/* Encoded words: whatever is written, text comes out, and each octet becomes a bounded number of
 * them: TSCII writes four characters of Tamil, of three octets each, as one. */
#include "mime/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *value = sg_arena_str(arena, sg_bytes_of(data, size));
    if (strlen(sg_header_decode(arena, value)) > 12 * strlen(value))
        abort();
    return 0;
}
