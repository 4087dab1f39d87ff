/*
 * Segments of a journal that another wrote. The first octet chooses: the rest as it is; the same
 * with every CRC and place mended, so that what stands behind them is reached; or the rest as the
 * compressed octets of an original, in a segment that is good otherwise.
 */
#include "journal_mend.h"
#include "spool/aead.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sg_secret key = {.len = 32};

struct reading {
    const char *path;
    uint64_t end;
    unsigned originals;
};

static bool on_segment(void *ctx, const struct sg_journal_segment *segment, struct sg_secret *key_r,
                       struct sg_error *err)
{
    (void)ctx, (void)err;
    if (strlen(segment->node) > SG_JOURNAL_NODE_MAX || segment->wrapped.len > JOURNAL_WRAPPED_MAX)
        abort();
    *key_r = key;
    return true;
}

static bool on_octets(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    uint64_t *left = ctx;
    (void)data;
    if (len > *left)
        return sg_fail(err, SG_E_LIMIT, "enough");
    *left -= len;
    return true;
}

static bool on_record(void *ctx, const struct sg_journal_entry *e, struct sg_error *err)
{
    struct reading *r = ctx;
    (void)err;
    if (e->offset < r->end || strlen(e->archive_key_id) >= JOURNAL_KEY_ID)
        abort(); /* records do not overlap */
    r->end = e->offset + e->length;
    if (e->has_original && r->originals++ < 4) {
        uint64_t left = 8 << 20;
        const struct sg_sink sink = {on_octets, &left};
        struct sg_error why;
        if (!sg_journal_read_original(r->path, e->offset, &key, &sink, &why))
            return true;
    }
    return true;
}

static void on_damage(void *ctx, uint64_t offset, uint64_t length, const char *what)
{
    struct reading *r = ctx;
    if (length == 0 || (offset < r->end && strcmp(what, "seal") != 0))
        abort();
    r->end = offset + length;
}

static void piece_add(struct sg_buf *out, struct sg_bytes aad, struct sg_bytes plain)
{
    uint8_t head[JOURNAL_PIECE_HEAD];
    SG_AUTO_BUF sealed;
    struct sg_error err;
    sg_buf_init(&sealed, 0);
    if (!sg_aead_seal(&key, aad, plain, &sealed, &err))
        abort();
    journal_piece_encode(sg_buf_bytes(&sealed), head);
    sg_buf_add(out, head, sizeof head);
    sg_buf_add(out, sealed.data, sealed.len);
}

/* A segment of one record, whose original is the zstd stream given, in two chunks. */
static void build(struct sg_buf *out, struct sg_bytes stream)
{
    struct journal_head head = {.node = "n", .number = 1};
    uint8_t place[JOURNAL_FRAME_HEAD], aad[JOURNAL_CHUNK_AAD];
    if (stream.len > JOURNAL_CHUNK)
        stream.len = JOURNAL_CHUNK;
    journal_head_encode(&head, out);
    struct journal_frame frame = {.type = SG_JOURNAL_RECEIVED, .original = true, .number = 1};
    frame.offset = out->len;
    frame.length = sizeof place + 3 * (JOURNAL_PIECE_HEAD + SG_AEAD_OVERHEAD) + 2 + stream.len;
    journal_frame_encode(&frame, place);
    sg_buf_add(out, place, sizeof place);
    piece_add(out, journal_frame_aad(place), sg_bytes_str("{}"));
    size_t half = stream.len / 2;
    journal_chunk_aad(frame.id, 0, false, aad);
    piece_add(out, sg_bytes_of(aad, sizeof aad), sg_bytes_slice(stream, 0, half));
    journal_chunk_aad(frame.id, 1, true, aad);
    piece_add(out, sg_bytes_of(aad, sizeof aad), sg_bytes_slice(stream, half, stream.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_BUF segment;
    struct sg_error err;
    char path[32];
    if (size == 0)
        return 0;
    sg_buf_init(&segment, 0);
    if (data[0] % 3 == 2)
        build(&segment, sg_bytes_of(data + 1, size - 1));
    else
        sg_buf_add(&segment, data + 1, size - 1);
    if (data[0] % 3 == 1)
        journal_mend(segment.data, segment.len);
    int fd = memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0 || write(fd, segment.data, segment.len) != (ssize_t)segment.len)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct reading r = {.path = path};
    const struct sg_journal_reader reader = {&r, on_segment, on_record, on_damage, false};
    if (sg_journal_read_segment(path, 0, &reader, &err) && r.end)
        for (size_t i = r.end; i < segment.len; i++)
            if (segment.data[i])
                abort(); /* every octet is a record's, told of, or room at the end */
    close(fd);
    return 0;
}
