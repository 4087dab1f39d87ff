#include "scan.h"

#include "trigger/trigger_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct sg_trigger_options test_options(void)
{
    return (struct sg_trigger_options){.limits = sg_trigger_limits_default()};
}

struct sg_tnef *test_tnef(void)
{
    const struct sg_tnef_options options = {
        .helper = SG_TNEF_HELPER,
        .processes = 1,
        .request_bytes = 1 << 20,
        .answer_bytes = 1 << 20,
        .memory_bytes = 32 << 20,
        .cpu_ms = 5000,
        .timeout_ms = 20000,
        .max_parts = 2000,
        .max_depth = 8,
    };
    return sg_tnef_new(&options);
}

static void header_read(struct sg_arena *arena, struct sg_bytes message, struct sg_spool *spool,
                        struct sg_header_block *block_r)
{
    struct sg_header_limits hl = {.max_bytes = 1 << 20, .max_fields = 2000};
    struct sg_error err;
    assert_true(sg_spool_write(spool, message.data, message.len, &err));
    if (sg_header_read(arena, spool, 0, UINT64_MAX, &hl, block_r, &err))
        return;
    if (err.code != SG_E_MIME)
        fail_msg("%s", err.detail);
    *block_r = (struct sg_header_block){.count = 0}; /* all of it is body */
}

static const struct sg_spool_limits limits = {64 << 20, 64 << 20, "/tmp"};

void test_scan(struct sg_arena *arena, const void *message, size_t len,
               const struct sg_trigger_options *options, struct sg_trigger_found *found_r)
{
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block;
    struct sg_error err;
    header_read(arena, sg_bytes_of(message, len), spool, &block);
    assert_true(sg_trigger_scan(arena, &block, spool, block.body_offset,
                                sg_spool_size(spool) - block.body_offset, options, found_r, &err));
}

void test_scan_octets(struct sg_arena *arena, struct sg_bytes message,
                      const struct sg_trigger_options *options, struct sg_trigger_found *found_r)
{
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block;
    header_read(arena, message, spool, &block);
    *found_r = (struct sg_trigger_found){
        .hits = SG_ARENA_ARRAY(arena, struct sg_trigger_hit, SG_TRIGGER_WORDS)};
    struct sg_scan scan = {.arena = arena, .options = options, .found = found_r};
    struct sg_walk *walk = sg_walk_new(&scan, "");
    struct sg_bytes body = sg_bytes_slice(message, block.body_offset, SIZE_MAX);
    bool proper = block.body_offset >= 1 && body.data[-1] == '\n' &&
                  (block.raw.len + 2 >= block.body_offset) && block.body_offset > block.raw.len;
    sg_walk_header(walk, &block, body.len && !proper);
    for (size_t i = 0; i < body.len; i++) {
        uint8_t octet = body.data[i];
        sg_walk_push(walk, &octet, 1);
    }
    sg_walk_end(&walk);
}
