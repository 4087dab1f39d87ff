/* Header blocks: what is found lies within the input and adds up to it. */
#include "mime/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_spool_limits sl = {.memory_bytes = 1 << 20, .max_bytes = 1 << 20, .dir = "/tmp"};
    struct sg_header_limits limits = {.max_bytes = 20000, .max_fields = 50};
    SG_AUTO_SPOOL spool = sg_spool_new(&sl);
    struct sg_header_block block;
    struct sg_error err;
    if (!sg_spool_write(spool, data, size, &err) ||
        !sg_header_read(arena, spool, 0, UINT64_MAX, &limits, &block, &err))
        return 0;
    if (block.body_offset > size || block.raw.len > block.body_offset ||
        block.count > limits.max_fields || block.raw.len > limits.max_bytes)
        abort();
    size_t sum = 0;
    for (size_t i = 0; i < block.count; i++) {
        sum += block.fields[i].whole.len;
        if (block.fields[i].name.len == 0 ||
            strlen(sg_header_unfold(arena, &block.fields[i])) > block.fields[i].value.len)
            abort();
    }
    if (sum != block.raw.len || (sum && memcmp(block.raw.data, data, sum) != 0))
        abort();
    return 0;
}
