/*
 * Trigger words of anything: pieces of any size give the same as the whole, within what is read at
 * all; a plain word that was put behind the header of a message that is all text is found; the work
 * is bounded. The first
 * octet chooses how the body is cut, and whether attachments count.
 */
#include "common/buf.h"
#include "trigger/trigger_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sg_trigger_limits limits = {
    .max_parts = 40,
    .max_depth = 6,
    .max_header_bytes = 2000,
    .max_text_bytes = 1 << 20,
    .max_tnef_bytes = 1 << 16,
    .max_cms_bytes = 1 << 16,
    .max_rtf_depth = 32,
    .spool = {.memory_bytes = 1 << 20, .max_bytes = 1 << 20, .dir = "/tmp"},
};

/* false: a limit was passed. */
static bool scan(struct sg_arena *arena, const struct sg_trigger_options *options,
                 struct sg_bytes mail, size_t piece, struct sg_trigger_found *found_r)
{
    *found_r = (struct sg_trigger_found){
        .hits = SG_ARENA_ARRAY(arena, struct sg_trigger_hit, SG_TRIGGER_WORDS)};
    struct sg_scan s = {.arena = arena, .options = options, .found = found_r};
    struct sg_walk *walk = sg_walk_new(&s, "");
    for (size_t i = 0; i < mail.len; i += piece)
        sg_walk_push(walk, mail.data + i, mail.len - i < piece ? mail.len - i : piece);
    sg_walk_end(&walk);
    if (s.failed || s.depth || s.text_bytes > limits.max_text_bytes ||
        found_r->hit_count > SG_TRIGGER_WORDS)
        abort();
    return !s.limited;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_trigger_options options = {.attachments = data[0] & 1, .limits = limits};
    struct sg_bytes mail = sg_bytes_of(data + 1, size - 1);
    struct sg_trigger_found whole, pieces;
    bool within = scan(arena, &options, mail, mail.len + 1, &whole);
    within &= scan(arena, &options, mail, (data[0] >> 1 & 15) + 1u, &pieces);
    if (within && (whole.words != pieces.words || whole.undecodable != pieces.undecodable ||
                   whole.opaque != pieces.opaque))
        abort();

    SG_AUTO_BUF text;
    sg_buf_init(&text, 0);
    sg_buf_adds(&text, "Content-Type: text/plain\r\n\r\n");
    sg_buf_add(&text, mail.data, mail.len);
    sg_buf_adds(&text, "[RSVPDR]");
    scan(arena, &options, sg_buf_bytes(&text), text.len, &whole);
    if (!(whole.words & SG_TRIGGER_RSVPDR))
        abort();
    return 0;
}
