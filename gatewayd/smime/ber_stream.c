#include "smime/ber.h"

void sg_ber_stream_begin(struct sg_ber_stream *s, struct sg_source *source, size_t budget)
{
    memset(s, 0, sizeof *s);
    s->source = source;
    s->budget = budget;
    s->open[0].end = UINT64_MAX;
    s->open[0].indefinite = false;
}

static bool malformed(struct sg_error *err)
{
    return sg_fail(err, SG_E_CMS, "the CMS structure is not well-formed BER");
}

static bool octet_read(struct sg_ber_stream *s, uint8_t *octet_r, struct sg_error *err)
{
    struct sg_bytes view;
    if (s->pos >= s->open[s->depth].end)
        return malformed(err);
    if (!sg_source_take(s->source, 1, &view, err))
        return false;
    s->pos++;
    *octet_r = view.data[0];
    return true;
}

static bool head_octet(struct sg_ber_stream *s, struct sg_error *err)
{
    return octet_read(s, &s->head[s->head_len++], err);
}

/* Reads the header of the next element; tag -1 where the open one is at its end. */
static bool head_read(struct sg_ber_stream *s, struct sg_error *err)
{
    if (s->have)
        return true;
    s->head_len = 0;
    s->len = 0;
    s->indefinite = false;
    if (!s->open[s->depth].indefinite && s->pos == s->open[s->depth].end) {
        s->tag = -1;
        return true;
    }
    if (!head_octet(s, err) || !head_octet(s, err))
        return false;
    s->tag = s->head[0];
    uint8_t first = s->head[1];
    if (s->tag == 0) {
        if (first != 0 || !s->open[s->depth].indefinite)
            return malformed(err);
        s->tag = -1;
    } else if ((s->tag & 0x1f) == 0x1f) {
        return malformed(err);
    } else if (first == 0x80) {
        if (!(s->tag & SG_BER_CONSTRUCTED))
            return malformed(err);
        s->indefinite = true;
    } else {
        s->len = first;
        if (first > 0x80) {
            if ((first & 0x7f) > 8)
                return malformed(err);
            s->len = 0;
            for (int i = first & 0x7f; i; i--) {
                if (!head_octet(s, err))
                    return false;
                s->len = s->len << 8 | s->head[s->head_len - 1];
            }
        }
        if (s->len > s->open[s->depth].end - s->pos)
            return malformed(err);
    }
    s->have = true;
    return true;
}

bool sg_ber_stream_peek(struct sg_ber_stream *s, int *tag_r, struct sg_error *err)
{
    if (!head_read(s, err))
        return false;
    *tag_r = s->tag;
    return true;
}

static bool push(struct sg_ber_stream *s, struct sg_error *err)
{
    if (s->depth == SG_BER_DEPTH)
        return sg_fail(err, SG_E_CMS, "the CMS structure nests too deeply");
    uint64_t end = s->indefinite ? s->open[s->depth].end : s->pos + s->len;
    s->depth++;
    s->open[s->depth].end = end;
    s->open[s->depth].indefinite = s->indefinite;
    s->have = false;
    return true;
}

bool sg_ber_stream_enter(struct sg_ber_stream *s, int tag, struct sg_error *err)
{
    if (!head_read(s, err))
        return false;
    if (s->tag != tag)
        return sg_fail(err, SG_E_CMS, "not the CMS structure that was expected");
    return push(s, err);
}

bool sg_ber_stream_leave(struct sg_ber_stream *s, struct sg_error *err)
{
    if (!head_read(s, err))
        return false;
    if (s->tag != -1)
        return sg_fail(err, SG_E_CMS, "something is behind the end of the CMS structure");
    s->have = false;
    s->depth--;
    return true;
}

static bool charge(struct sg_ber_stream *s, uint64_t octets, struct sg_error *err)
{
    if (octets > s->budget) /* len may be anything up to 2^64 */
        return sg_fail(err, SG_E_LIMIT, "the CMS structure is larger than the limit");
    s->budget -= (size_t)octets;
    return true;
}

static bool sink_buf(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    if (ctx)
        sg_buf_add(ctx, data, len);
    return true;
}

/* len octets of the source into a sink. */
static bool copy(struct sg_ber_stream *s, uint64_t len, const struct sg_sink *sink,
                 struct sg_error *err)
{
    struct sg_bytes view;
    for (; len; len -= view.len) {
        if (!sg_source_take(s->source, len, &view, err) ||
            !sg_sink_write(sink, view.data, view.len, err))
            return false;
        s->pos += view.len;
    }
    return true;
}

static bool take(struct sg_ber_stream *s, struct sg_buf *out, struct sg_error *err)
{
    const struct sg_sink sink = {sink_buf, out};
    if (!charge(s, s->len, err) || !charge(s, s->head_len, err) ||
        !sg_sink_write(&sink, s->head, s->head_len, err))
        return false;
    if (!s->indefinite) {
        s->have = false;
        return copy(s, s->len, &sink, err);
    }
    if (!push(s, err) || !head_read(s, err))
        return false;
    while (s->tag != -1)
        if (!take(s, out, err) || !head_read(s, err))
            return false;
    return charge(s, 2, err) && sg_sink_write(&sink, "\0", 2, err) && sg_ber_stream_leave(s, err);
}

bool sg_ber_stream_take(struct sg_ber_stream *s, int tag, struct sg_buf *out, struct sg_error *err)
{
    if (!head_read(s, err))
        return false;
    if (s->tag != tag)
        return sg_fail(err, SG_E_CMS, "not the CMS structure that was expected");
    return take(s, out, err);
}

bool sg_ber_stream_octets(struct sg_ber_stream *s, int tag, const struct sg_sink *sink,
                          struct sg_error *err)
{
    if (!head_read(s, err))
        return false;
    if (s->tag == tag) {
        s->have = false;
        return copy(s, s->len, sink, err);
    }
    if (s->tag != (tag | SG_BER_CONSTRUCTED))
        return sg_fail(err, SG_E_CMS, "not the CMS structure that was expected");
    if (!push(s, err) || !head_read(s, err))
        return false;
    while (s->tag != -1)
        if (!sg_ber_stream_octets(s, SG_BER_OCTETS, sink, err) || !head_read(s, err))
            return false;
    return sg_ber_stream_leave(s, err);
}
