#include "smime/source.h"

#define BASE64_OF_SEQUENCE 'M' /* 0x30 */

static bool begins_as_base64(struct sg_source *source, struct sg_error *err)
{
    uint8_t first = 0;
    size_t got = 0;
    if (source->pos < source->end &&
        !sg_spool_read(source->spool, source->pos, &first, 1, &got, err))
        return false;
    source->base64 = first == BASE64_OF_SEQUENCE;
    return true;
}

const char *sg_source_encoding(struct sg_arena *arena, const struct sg_header_block *headers)
{
    const struct sg_header *field = sg_header_find(headers, "Content-Transfer-Encoding", 0);
    if (!field)
        return NULL;
    char *encoding = sg_header_unfold(arena, field);
    encoding[strcspn(encoding, " \t(;")] = 0;
    return encoding;
}

bool sg_source_open(struct sg_source *source, struct sg_arena *arena,
                    const struct sg_header_block *headers, const struct sg_spool *spool,
                    uint64_t offset, uint64_t len, struct sg_error *err)
{
    source->spool = spool;
    source->pos = offset;
    source->end = offset + len;
    source->base64 = source->finished = false;
    source->decoder = (struct sg_base64_decoder){0};
    source->at = source->stop = 0;
    const char *encoding = sg_source_encoding(arena, headers);
    if (!encoding)
        return begins_as_base64(source, err);
    source->base64 = strcasecmp(encoding, "base64") == 0;
    if (strcasecmp(encoding, "7bit") == 0)
        return begins_as_base64(source, err);
    if (source->base64 || strcasecmp(encoding, "8bit") == 0 || strcasecmp(encoding, "binary") == 0)
        return true;
    return sg_fail(err, SG_E_CMS_UNSUPPORTED, "a transfer encoding other than base64");
}

static bool fill(struct sg_source *s, struct sg_error *err)
{
    s->at = s->stop = 0;
    while (s->at == s->stop && !s->finished) {
        uint64_t left = s->end - s->pos;
        size_t want = left < SG_SOURCE_BYTES ? (size_t)left : SG_SOURCE_BYTES, got = 0;
        uint8_t *raw = s->data + 8;
        if (want && !sg_spool_read(s->spool, s->pos, raw, want, &got, err))
            return false;
        s->pos += got;
        s->finished = got < want || s->pos == s->end;
        if (!s->base64) {
            s->at = 8;
            s->stop = 8 + got;
            continue;
        }
        s->stop = sg_base64_decode(&s->decoder, raw, got, s->data);
        s->finished |= s->decoder.ended || s->decoder.bad;
        if (s->finished && !s->decoder.bad)
            s->stop += sg_base64_decode_end(&s->decoder, s->data + s->stop);
    }
    return true;
}

bool sg_source_take(struct sg_source *source, uint64_t max, struct sg_bytes *view_r,
                    struct sg_error *err)
{
    if (source->at == source->stop && !fill(source, err))
        return false;
    size_t n = source->stop - source->at;
    if (n == 0)
        return sg_fail(err, SG_E_CMS, "%s",
                       source->decoder.bad ? "not base64" : "the data end early");
    if (n > max)
        n = (size_t)max;
    *view_r = sg_bytes_of(source->data + source->at, n);
    source->at += n;
    return true;
}

bool sg_source_ends(struct sg_source *source, bool *ends_r, struct sg_error *err)
{
    *ends_r = true;
    while (*ends_r) {
        if (source->at == source->stop && !fill(source, err))
            return false;
        if (source->at == source->stop)
            break;
        while (source->at < source->stop && *ends_r)
            *ends_r = memchr("\0 \t\r\n", source->data[source->at++], 5) != NULL;
    }
    *ends_r &= !source->decoder.bad;
    return true;
}
