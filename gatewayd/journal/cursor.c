#include "journal/cursor.h"

#include "spool/aead.h"

#include <errno.h>
#include <unistd.h>

#define SCAN_BYTES  65536
#define MARKER_LEN  4
#define BLOCK_BYTES 4096 /* what a disk, and the page cache, read or cannot read */
#define PASS_MOST   ((uint64_t)4 << 20)

bool journal_pread(int fd, void *data, size_t len, uint64_t offset, size_t *n_r,
                   struct sg_error *err)
{
    size_t done = 0;
    *n_r = 0;
    while (done < len) {
        ssize_t n = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sg_fail_errno(err, SG_E_IO, "cannot read the journal");
        if (n == 0)
            break;
        *n_r = done += (size_t)n;
    }
    return true;
}

bool journal_is_unreadable(const struct sg_error *err)
{
    return err->lib == SG_LIB_ERRNO && err->lib_code == EIO;
}

/* As journal_pread(), with zeros for what is passed over. */
static bool cursor_read(struct journal_cursor *c, void *data, size_t len, uint64_t offset,
                        size_t *n_r, struct sg_error *err)
{
    size_t n;
    *n_r = 0;
    for (;;) {
        struct sg_error why = {0};
        bool ok = journal_pread(c->fd, (char *)data + *n_r, len - *n_r, offset + *n_r, &n, &why);
        *n_r += n;
        if (ok)
            return true;
        if (!c->pass_unreadable || !journal_is_unreadable(&why) || c->passed >= PASS_MOST) {
            if (err)
                *err = why;
            return false;
        }
        size_t block = BLOCK_BYTES - (offset + *n_r) % BLOCK_BYTES;
        block = block < len - *n_r ? block : len - *n_r;
        memset((char *)data + *n_r, 0, block);
        *n_r += block;
        c->passed += block;
        c->unreadable = true;
    }
}

bool journal_zeros_find(int fd, uint64_t offset, uint64_t end, uint64_t *end_r,
                        struct sg_error *err)
{
    uint8_t block[SCAN_BYTES];
    *end_r = offset;
    for (size_t n = 1; n && offset < end; offset += n) {
        size_t want = end - offset < sizeof block ? (size_t)(end - offset) : sizeof block;
        if (!journal_pread(fd, block, want, offset, &n, err))
            return false;
        for (size_t i = n; i > 0; i--) {
            if (block[i - 1]) {
                *end_r = offset + i;
                break;
            }
        }
    }
    return true;
}

bool journal_head_read(int fd, struct journal_head *head_r, struct sg_error *err)
{
    uint8_t data[JOURNAL_HEAD_MAX];
    size_t n;
    if (!journal_pread(fd, data, sizeof data, 0, &n, err))
        return false;
    return journal_head_decode(sg_bytes_of(data, n), head_r) ||
           sg_fail(err, SG_E_MALFORMED, "not the head of a journal segment");
}

void journal_cursor_init(struct journal_cursor *cursor, int fd, uint64_t number, uint64_t offset,
                         uint64_t end)
{
    memset(cursor, 0, sizeof *cursor);
    cursor->fd = fd;
    cursor->number = number;
    cursor->offset = offset;
    cursor->end = end;
    sg_buf_init(&cursor->piece, 0);
}

void journal_cursor_free(struct journal_cursor *cursor)
{
    sg_buf_free(&cursor->piece);
}

bool journal_piece_read(struct journal_cursor *c, uint64_t *at, uint64_t end, size_t max,
                        struct sg_buf *out, bool *good_r, struct sg_error *err)
{
    uint8_t head[JOURNAL_PIECE_HEAD], block[SCAN_BYTES];
    size_t n;
    *good_r = false;
    if (end - *at < sizeof head)
        return true;
    if (!cursor_read(c, head, sizeof head, *at, &n, err))
        return false;
    size_t len = journal_get(head, 4);
    if (n < sizeof head || len < SG_AEAD_OVERHEAD || len > max || len > end - *at - sizeof head)
        return true;
    sg_buf_clear(out);
    for (size_t done = 0; done < len; done += n) {
        size_t want = len - done < sizeof block ? len - done : sizeof block;
        if (!cursor_read(c, block, want, *at + sizeof head + done, &n, err))
            return false;
        if (n < want)
            return true;
        sg_buf_add(out, block, n);
    }
    *at += sizeof head + len;
    *good_r = journal_get(head + 4, 4) == journal_crc(0, out->data, out->len);
    return true;
}

/* Is there a good frame at offset? Sets what the cursor says of it. */
static bool frame_read(struct journal_cursor *c, uint64_t offset, bool whole, bool *good_r,
                       struct sg_error *err)
{
    size_t n;
    *good_r = false;
    if (c->end - offset < sizeof c->head)
        return true;
    if (!cursor_read(c, c->head, sizeof c->head, offset, &n, err))
        return false;
    if (n < sizeof c->head || !journal_frame_decode(c->head, c->number, offset, &c->frame) ||
        c->frame.length > c->end - offset)
        return true;
    uint64_t at = offset + sizeof c->head, end = offset + c->frame.length;
    if (!journal_piece_read(c, &at, end, SG_JOURNAL_RECORD_MAX + SG_AEAD_OVERHEAD, &c->piece,
                            good_r, err))
        return false;
    c->originals = at;
    if (!*good_r)
        return true;
    *good_r = c->frame.original ? at < end : at == end;
    if (!whole || !c->frame.original)
        return true;
    SG_AUTO_BUF chunk;
    sg_buf_init(&chunk, 0);
    while (*good_r && at < end)
        if (!journal_piece_read(c, &at, end, JOURNAL_CHUNK + SG_AEAD_OVERHEAD, &chunk, good_r, err))
            return false;
    return true;
}

/* The next offset from *at on where the marker of a frame stands, or the end. */
static bool marker_find(struct journal_cursor *c, uint64_t *at, struct sg_error *err)
{
    uint8_t block[SCAN_BYTES];
    while (*at < c->end) {
        size_t want = c->end - *at < sizeof block ? (size_t)(c->end - *at) : sizeof block, n;
        if (!cursor_read(c, block, want, *at, &n, err))
            return false;
        const uint8_t *found = memmem(block, n, JOURNAL_MARKER, MARKER_LEN);
        if (found) {
            *at += (uint64_t)(found - block);
            return true;
        }
        if (n <= MARKER_LEN)
            break;
        *at += n - (MARKER_LEN - 1); /* a marker may stand across blocks */
    }
    *at = c->end;
    return true;
}

bool journal_cursor_next(struct journal_cursor *c, enum journal_step *step_r, struct sg_error *err)
{
    bool good;
    c->unreadable = false;
    if (c->offset >= c->end) {
        *step_r = JOURNAL_AT_END;
        return true;
    }
    if (!frame_read(c, c->offset, c->whole, &good, err))
        return false;
    if (good) {
        *step_r = JOURNAL_AT_FRAME;
        c->offset += c->frame.length;
        return true;
    }
    /* Damage: what follows is trusted again where a frame is good to its last piece. */
    uint64_t at = c->offset;
    do {
        at++;
        if (!marker_find(c, &at, err))
            return false;
        if (at < c->end && !frame_read(c, at, true, &good, err))
            return false;
    } while (!good && at < c->end);
    if (at == c->end && !c->unreadable) {
        uint64_t end;
        if (!journal_zeros_find(c->fd, c->offset, c->end, &end, err))
            return false;
        if (end == c->offset) {
            *step_r = JOURNAL_AT_END;
            return true;
        }
    }
    c->damage_offset = c->offset;
    c->damage_length = at - c->offset;
    c->offset = at;
    *step_r = JOURNAL_AT_DAMAGE;
    return true;
}
