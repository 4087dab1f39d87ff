/* Addresses: a valid one stays valid when normalised, once is as good as twice, and nothing in it
 * breaks out of a command line. */
#include "smtp/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_bytes input = {data, size};
    if (size <= SG_ADDRESS_MAX) { /* whatever Postfix calls an address */
        SG_AUTO_ARENA quoting = sg_arena_new();
        const char *quoted = sg_address_quote(quoting, sg_arena_str(quoting, input));
        check(!quoted || sg_address_valid(sg_bytes_str(quoted)));
    }
    if (!sg_address_valid(input))
        return 0;
    check(size <= SG_ADDRESS_MAX);
    for (size_t i = 0; i < size; i++)
        check(data[i] >= 0x20 && data[i] != 0x7f);
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *address = sg_arena_str(arena, input);
    const char *domain = sg_address_domain(address);
    check(domain && *domain && !strpbrk(domain, " <>\"\\@"));
    const char *once = sg_address_normalise(arena, address);
    check(sg_address_valid(sg_bytes_str(once)));
    check(strcmp(once, sg_address_normalise(arena, once)) == 0);
    check(!sg_address_ascii(domain) ||
          (strlen(once) <= size && strcasecmp(domain, sg_address_domain(once)) == 0));
    return 0;
}
