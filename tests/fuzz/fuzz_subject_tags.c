/* Subjects: what lost its tags has none, and is one field. */
#include "pipeline/tags.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char tags[] = "[a b], [c]";
    struct sg_header field = {.name = sg_bytes_str("Subject"), .value = sg_bytes_of(data, size)};
    SG_AUTO_BUF out = {0};
    SG_AUTO_BUF again = {0};
    if (!sg_tags_strip(tags, &field, &out))
        return 0;
    for (size_t i = 0; i + 2 < out.len; i++)
        if ((out.data[i] == '\r' && out.data[i + 1] != '\n') ||
            (out.data[i] == '\n' && out.data[i + 1] != ' '))
            abort();
    field.value = sg_bytes_of(out.data + 9, out.len - 11);
    if (sg_tags_strip(tags, &field, &again))
        abort();
    return 0;
}
