/* Mailbox lists: an address that was read is read again as itself; and its domain is among those
 * that anybody may see in the field. */
#include "mime/header.h"

#include <stdlib.h>

#define MOST 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claimed_check(struct sg_arena *arena, const struct sg_header *field,
                          const struct sg_mailbox *list, size_t count)
{
    const char *const *domains;
    size_t claimed, k;
    bool known = sg_mailbox_domains_claimed(arena, field, MOST, &domains, &claimed);
    if (claimed > MOST)
        abort();
    for (size_t i = 0; known && i < count; i++) {
        if (list[i].domain[strspn(list[i].domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.")])
            continue; /* no domain of anybody's */
        for (k = 0; k < claimed && strcmp(domains[k], list[i].domain) != 0;)
            k++;
        if (k == claimed)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header field = {.name = sg_bytes_str("From"), .value = sg_bytes_of(data, size)};
    struct sg_mailbox *list, *again;
    size_t count, one;
    struct sg_error err;
    bool parsed = sg_mailbox_list_parse(arena, &field, &list, &count, &err);
    claimed_check(arena, &field, list, parsed ? count : 0);
    if (!parsed)
        return 0;
    for (size_t i = 0; i < count && i < 16; i++) {
        field.value = sg_bytes_str(list[i].address);
        if (!sg_mailbox_list_parse(arena, &field, &again, &one, &err) || one != 1 ||
            strcmp(again->address, list[i].address) != 0)
            abort();
    }
    return 0;
}
