/*
 * BER of anybody's: what the cursor over memory takes, the reader over a stream takes too, with the
 * same octets; what is made DER of is DER to us, and stays as it is when that is done again.
 */
#include "smime/ber.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUDGET (1 << 20)

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void der_twice(const struct sg_tlv *tlv)
{
    SG_AUTO_BUF once;
    SG_AUTO_BUF twice;
    struct sg_tlv again;
    sg_buf_init(&once, BUDGET);
    sg_buf_init(&twice, BUDGET);
    if (!sg_ber_to_der(tlv, tlv->tag, &once))
        return;
    struct sg_ber ber = sg_ber_of(sg_buf_bytes(&once));
    bool pieces = tlv->tag == (SG_BER_OCTETS | SG_BER_CONSTRUCTED); /* they are one in DER */
    check(sg_ber_next(&ber, &again) && !sg_ber_more(&ber) &&
          again.tag == (pieces ? SG_BER_OCTETS : tlv->tag));
    check(sg_ber_to_der(&again, again.tag, &twice));
    check(sg_bytes_equal(sg_buf_bytes(&once), sg_buf_bytes(&twice)));
}

static void walk(struct sg_bytes whole, unsigned depth)
{
    struct sg_ber ber = sg_ber_of(whole);
    struct sg_tlv tlv;
    while (sg_ber_more(&ber)) {
        int tag = sg_ber_peek(&ber);
        const uint8_t *at = ber.p;
        if (!sg_ber_next(&ber, &tlv))
            return;
        check(tlv.tag == tag && tlv.whole.data == at && ber.p > at && ber.p <= ber.end);
        check(tlv.content.len <= tlv.whole.len && tlv.content.data >= at &&
              tlv.content.data + tlv.content.len <= ber.p);
        der_twice(&tlv);
        if ((tlv.tag & SG_BER_CONSTRUCTED) && depth < SG_BER_DEPTH)
            walk(tlv.content, depth + 1);
    }
}

static bool keep(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return sg_buf_add(ctx, data, len) || sg_fail(err, SG_E_LIMIT, "enough");
}

/* As a string, from memory and from the stream; as an element, taken from the stream. */
static void stream(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const struct sg_spool_limits limits = {BUDGET, BUDGET, "/tmp"};
    static const struct sg_header_block none;
    struct sg_source *source = sg_arena_alloc(arena, sizeof *source);
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    SG_AUTO_BUF of_memory;
    SG_AUTO_BUF of_stream;
    struct sg_ber ber = sg_ber_of(sg_bytes_of(data, size));
    struct sg_ber_stream s;
    struct sg_tlv tlv;
    struct sg_error err;
    int tag = size ? data[0] & ~SG_BER_CONSTRUCTED : 0;
    sg_buf_init(&of_memory, BUDGET);
    sg_buf_init(&of_stream, BUDGET);
    const struct sg_sink sink = {keep, &of_stream};
    check(sg_spool_write(spool, data, size, &err));
    if (!sg_ber_next(&ber, &tlv) || !sg_source_open(source, arena, &none, spool, 0, size, &err) ||
        source->base64)
        return;
    sg_ber_stream_begin(&s, source, BUDGET);
    if (tlv.tag != (tlv.tag & ~SG_BER_CONSTRUCTED) && data[1] & 1) {
        if (sg_ber_stream_take(&s, tlv.tag, &of_stream, &err))
            check(sg_bytes_equal(sg_buf_bytes(&of_stream), tlv.whole));
        return;
    }
    bool memory = sg_ber_octets(&tlv, tag, &of_memory);
    bool streamed = sg_ber_stream_octets(&s, tag, &sink, &err);
    if (memory && streamed)
        check(sg_bytes_equal(sg_buf_bytes(&of_stream), sg_buf_bytes(&of_memory)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    walk(sg_bytes_of(data, size), 0);
    stream(data, size);
    return 0;
}
