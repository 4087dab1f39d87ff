/* Encoded words: whatever is written, text comes out, and none of it grows beyond its octets. */
#include "mime/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *value = sg_arena_str(arena, sg_bytes_of(data, size));
    if (strlen(sg_header_decode(arena, value)) > 8 * strlen(value))
        abort();
    return 0;
}
