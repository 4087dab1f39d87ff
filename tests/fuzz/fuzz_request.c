/* Answers to certificate requests as anybody may make them: header, empty line, body. No more
 * certificates come out than the limit, and each is one. */
#include "request/request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_spool_limits limits = {1 << 20, 1 << 20, "/tmp"};
    struct sg_header_limits most = {65536, 100};
    struct sg_request_limits request = {.max_bytes = 1 << 20,
                                        .max_parts = 64,
                                        .max_depth = 8,
                                        .max_certificates = 4,
                                        .headers = most};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block;
    if (!sg_spool_write(spool, data, size, NULL) ||
        !sg_header_read(arena, spool, 0, size, &most, &block, NULL))
        return 0;
    size_t offset = (size_t)block.body_offset;
    STACK_OF(X509) *found = sg_request_certificates(
        arena, &block, sg_bytes_of(data + offset, size - offset), &request, NULL);
    if (sk_X509_num(found) > 4)
        abort();
    for (int i = 0; i < sk_X509_num(found); i++)
        if (!sk_X509_value(found, i))
            abort();
    sk_X509_pop_free(found, X509_free);
    const struct sg_header *subject = sg_header_find(&block, "Subject", 0);
    const char *target = sg_request_target(arena, subject ? sg_header_unfold(arena, subject) : "");
    if (*target && !strchr(target, '@'))
        abort();
    return 0;
}
