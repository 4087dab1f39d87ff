#include "scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct sg_trigger_options test_options(void)
{
    return (struct sg_trigger_options){.limits = sg_trigger_limits_default()};
}

void test_scan(struct sg_arena *arena, const void *message, size_t len,
               const struct sg_trigger_options *options, struct sg_trigger_found *found_r)
{
    struct sg_spool_limits sl = {.memory_bytes = 64 << 20, .max_bytes = 64 << 20, .dir = "/tmp"};
    struct sg_header_limits hl = {.max_bytes = 1 << 20, .max_fields = 2000};
    SG_AUTO_SPOOL spool = sg_spool_new(&sl);
    struct sg_header_block block;
    struct sg_error err;
    assert_true(sg_spool_write(spool, message, len, &err));
    if (!sg_header_read(arena, spool, 0, UINT64_MAX, &hl, &block, &err)) {
        fail_msg("%s", err.detail);
        return;
    }
    assert_true(sg_trigger_scan(arena, &block, spool, block.body_offset,
                                sg_spool_size(spool) - block.body_offset, options, found_r, &err));
}
