/* TNEF streams: each part has a kind and a depth that there are, and all of it comes from the
 * stream. */
#include "tnefreader/reader.h"

#include <stdlib.h>

#define DEPTH 8

struct seen {
    uint64_t bytes, parts;
    volatile uint8_t last;
};

static void look(struct seen *s, struct sg_bytes bytes)
{
    s->bytes += bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        s->last ^= bytes.data[i];
}

static void begin(void *ctx, enum sg_tnef_kind kind, unsigned depth, unsigned codepage)
{
    (void)codepage;
    if (kind >= SG_TNEF_KINDS || depth > DEPTH)
        abort();
    ((struct seen *)ctx)->parts++;
}

static void name(void *ctx, unsigned codepage, struct sg_bytes bytes)
{
    (void)codepage;
    look(ctx, bytes);
}

static void data(void *ctx, struct sg_bytes bytes)
{
    look(ctx, bytes);
}

static void damage(void *ctx, enum sg_tnef_damage kind)
{
    (void)ctx;
    if (kind == SG_TNEF_WHOLE || kind >= SG_TNEF_DAMAGES)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data_, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data_, size_t size)
{
    struct seen seen = {0};
    const struct sg_tnef_sink sink = {&seen, begin, name, name, data, damage};
    sg_tnef_reader(sg_bytes_of(data_, size), DEPTH, true, &sink);
    /* A reference of two octets gives 17; the rest is given as it is, in messages twice at most. */
    if (seen.bytes > 9 * size || seen.parts > size)
        abort();
    return 0;
}
