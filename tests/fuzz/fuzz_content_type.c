/* Content-Type fields: every parameter that is listed is found by its name. */
#include "mime/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header field = {.name = sg_bytes_str("Content-Type"),
                              .value = sg_bytes_of(data, size)};
    struct sg_content_type type;
    sg_content_type_parse(arena, &field, &type);
    if (!strchr(type.type, '/'))
        abort();
    for (size_t i = 0; i < type.parameter_count; i++)
        if (!sg_content_type_parameter(&type, type.parameters[i].name))
            abort();
    return 0;
}
