#include "trigger/trigger_internal.h"

#define CHUNK 32768

struct sg_trigger_limits sg_trigger_limits_default(void)
{
    return (struct sg_trigger_limits){
        .max_parts = 2000,
        .max_depth = 32,
        .max_header_bytes = 65536,
        .max_text_bytes = (uint64_t)256 << 20,
        .max_tnef_bytes = (size_t)32 << 20,
        .max_cms_bytes = (size_t)1 << 20,
        .max_rtf_depth = 256,
        .spool = {.memory_bytes = 262144, .max_bytes = (uint64_t)256 << 20, .dir = "/tmp"},
    };
}

/* Report --------------------------------------------------------------------------------------- */

void sg_report_words(struct sg_scan *scan, unsigned words, const char *where)
{
    struct sg_trigger_found *found = scan->found;
    for (unsigned word = 1; word <= SG_TRIGGER_RSVPDR; word <<= 1)
        if (words & word & ~found->words)
            found->hits[found->hit_count++] = (struct sg_trigger_hit){word, where};
    found->words |= words;
}

void sg_report_undecodable(struct sg_scan *scan, const char *where, const char *why)
{
    struct sg_trigger_found *found = scan->found;
    if (found->undecodable)
        return;
    found->undecodable = true;
    found->undecodable_where = where;
    found->undecodable_why = why;
}

void sg_report_limit(struct sg_scan *scan, const char *where, const char *why)
{
    scan->limited = true;
    sg_report_undecodable(scan, where, why);
}

bool sg_scan_goes_on(struct sg_scan *scan, size_t octets, const char *where)
{
    if (sg_budget_octets(scan->options->budget, octets))
        return true;
    sg_report_undecodable(scan, *where ? where : "message",
                          "takes more time to read than there is");
    return false;
}

void sg_report_failure(struct sg_scan *scan, const struct sg_error *error)
{
    if (!scan->failed)
        scan->error = *error;
    scan->failed = true;
}

/* ---------------------------------------------------------------------------------------------- */

/* Does an empty line stand before the body? Without one the header ended at a line that is no
 * field, which other readers pass over. */
static bool follows_empty_line(const struct sg_spool *body, uint64_t offset)
{
    uint8_t before[3];
    size_t want = offset < sizeof before ? (size_t)offset : sizeof before, got = 0;
    struct sg_error ignored;
    if (want == 0)
        return true;
    if (!sg_spool_read(body, offset - want, before, want, &got, &ignored) || got != want ||
        before[got - 1] != '\n')
        return false;
    got -= got >= 2 && before[got - 2] == '\r' ? 2 : 1;
    return got == 0 || before[got - 1] == '\n';
}

static bool body_push(struct sg_walk *walk, const struct sg_spool *body, uint64_t offset,
                      uint64_t len, struct sg_error *err)
{
    uint8_t chunk[CHUNK];
    while (len) {
        size_t want = len < sizeof chunk ? (size_t)len : sizeof chunk, got = 0;
        if (!sg_spool_read(body, offset, chunk, want, &got, err))
            return false;
        if (got == 0)
            break;
        sg_walk_push(walk, chunk, got);
        offset += got;
        len -= got;
    }
    return true;
}

bool sg_trigger_scan(struct sg_arena *arena, const struct sg_header_block *headers,
                     const struct sg_spool *body, uint64_t offset, uint64_t len,
                     const struct sg_trigger_options *options, struct sg_trigger_found *found_r,
                     struct sg_error *err)
{
    memset(found_r, 0, sizeof *found_r);
    found_r->hits = SG_ARENA_ARRAY(arena, struct sg_trigger_hit, SG_TRIGGER_WORDS);
    struct sg_scan scan = {.arena = arena, .options = options, .found = found_r};
    struct sg_walk *walk = sg_walk_new(&scan, "");
    sg_walk_header(walk, headers, len && !follows_empty_line(body, offset));
    bool ok = body_push(walk, body, offset, len, err);
    sg_walk_end(&walk);
    if (ok && scan.failed && err)
        *err = scan.error;
    return ok && !scan.failed;
}
