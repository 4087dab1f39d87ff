/* Mailbox lists: an address that was read is read again as itself. */
#include "mime/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header field = {.name = sg_bytes_str("From"), .value = sg_bytes_of(data, size)};
    struct sg_mailbox *list, *again;
    size_t count, one;
    struct sg_error err;
    if (!sg_mailbox_list_parse(arena, &field, &list, &count, &err))
        return 0;
    for (size_t i = 0; i < count && i < 16; i++) {
        field.value = sg_bytes_str(list[i].address);
        if (!sg_mailbox_list_parse(arena, &field, &again, &one, &err) || one != 1 ||
            strcmp(again->address, list[i].address) != 0)
            abort();
    }
    return 0;
}
