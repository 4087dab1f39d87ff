/* Requests of the policy service: what is taken can be asked for, name by name. */
#include "smtp/policy_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_policy_request request;
    struct sg_error err;
    if (!policy_request_parse(arena, sg_bytes_of(data, size), &request, &err))
        return 0;
    for (size_t i = 0; i < request.count; i++)
        if (sg_policy_attribute(&request, request.names[i]) != request.values[i] ||
            strpbrk(request.values[i], "\n") || strpbrk(request.names[i], "=\n"))
            abort();
    return 0;
}
