/*
 * The leader's part: frames into the segment, in groups that are written together and runs that
 * share one fdatasync. A group that cannot be written is cut off again; a segment whose sync
 * failed, or that could not be cut, is left for a new one.
 */
#include "journal/journal_internal.h"

#include "common/log.h"
#include "spool/aead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)1 << 20)
#define GROUP_PIECE 65536 /* a larger original is a group of its own */
#define RETRY_MS    1000
#define RETRY_TIMES 10 /* … of what a try took that failed: everyone waits for it */
#define ROOM_BYTES  ((uint64_t)1 << 20)
#define ROOM_SYNCS  16 /* fewer than these used up the last room: large originals, not worth it */

const struct journal_io journal_io_system = {pwrite, fdatasync, ftruncate};

static uint64_t original_size(const struct journal_append *a)
{
    return a->original ? sg_spool_size(a->original) : 0;
}

static uint64_t frame_length(const struct journal_append *a)
{
    return JOURNAL_FRAME_HEAD + JOURNAL_PIECE_HEAD + SG_AEAD_OVERHEAD + a->record->payload.len +
           original_size(a);
}

static bool pwrite_all(struct sg_journal *j, int fd, struct sg_bytes data, uint64_t offset,
                       struct sg_error *err)
{
    while (data.len) {
        ssize_t n = j->io->pwrite(fd, data.data, data.len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sg_fail_errno(err, SG_E_JOURNAL, "cannot write the journal");
        if (n == 0)
            return sg_fail(err, SG_E_JOURNAL, "the journal takes nothing");
        offset += (uint64_t)n;
        data = sg_bytes_slice(data, (size_t)n, data.len);
    }
    return true;
}

static bool flush(struct sg_journal *j, struct sg_error *err)
{
    struct journal_writer *w = &j->writer;
    if (!pwrite_all(j, w->fd, sg_buf_bytes(&w->buffer), w->tail, err))
        return false;
    w->tail += w->buffer.len;
    sg_buf_clear(&w->buffer);
    return true;
}

static bool buffer_add(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct sg_journal *j = ctx;
    sg_buf_add(&j->writer.buffer, data, len);
    return j->writer.buffer.len < FLUSH_BYTES || flush(j, err);
}

/* Puts the frame of an append behind what is in the buffer. */
static bool frame_write(struct sg_journal *j, struct journal_append *a, struct sg_error *err)
{
    struct journal_writer *w = &j->writer;
    struct journal_frame frame = {
        .type = a->record->type,
        .original = a->original != NULL,
        .length = frame_length(a),
        .number = w->segment->number,
        .offset = w->tail + w->buffer.len,
        .at = a->record->at,
    };
    uint8_t head[JOURNAL_FRAME_HEAD], piece[JOURNAL_PIECE_HEAD];
    memcpy(frame.id, a->record->id, sizeof frame.id);
    memcpy(frame.key_id, a->key_id, sizeof frame.key_id);
    journal_frame_encode(&frame, head);
    a->number = frame.number;
    a->offset = frame.offset;

    memset(piece, 0, sizeof piece); /* known when the piece is sealed */
    sg_buf_add(&w->buffer, head, sizeof head);
    sg_buf_add(&w->buffer, piece, sizeof piece);
    size_t from = w->buffer.len;
    if (!sg_aead_seal(&w->segment->key, journal_frame_aad(head), a->record->payload, &w->buffer,
                      err))
        return false;
    journal_piece_encode(sg_bytes_of(w->buffer.data + from, w->buffer.len - from), piece);
    memcpy(w->buffer.data + from - sizeof piece, piece, sizeof piece);

    struct sg_sink sink = {buffer_add, j};
    return !a->original || sg_spool_copy(a->original, 0, UINT64_MAX, &sink, err);
}

/* Leaves the segment: what is not committed of it is cut off if that can be done. */
static void segment_leave(struct sg_journal *j)
{
    struct journal_writer *w = &j->writer;
    if (!w->segment)
        return;
    if (j->io->ftruncate(w->fd, (off_t)w->segment->end) != 0)
        sg_log(SG_LOG_WARNING, "journal.not-cut", "segment",
               sg_log_num((int64_t)w->segment->number), NULL);
    close(w->fd);
    w->fd = -1;
    pthread_mutex_lock(&j->lock);
    w->segment->closed = true;
    pthread_mutex_unlock(&j->lock);
    w->segment = NULL;
}

/* Room that was made, and is found behind a segment when another has records, is taken for damage:
 * it is cut off on the disk, too, before there are any. */
static void room_cut(struct sg_journal *j)
{
    struct journal_writer *w = &j->writer;
    if (w->segment &&
        (j->io->ftruncate(w->fd, (off_t)w->segment->end) != 0 || j->io->fdatasync(w->fd) != 0))
        sg_log(SG_LOG_WARNING, "journal.not-cut", "segment",
               sg_log_num((int64_t)w->segment->number), NULL);
}

void journal_writer_close(struct sg_journal *j)
{
    segment_leave(j);
    sg_buf_free(&j->writer.buffer);
}

/* Makes the file with its head, durable in the directory. */
static bool file_make(struct sg_journal *j, struct sg_bytes head, uint64_t number, int *fd_r,
                      struct sg_error *err)
{
    char name[SG_JOURNAL_FILE];
    sg_journal_file_name(number, name);
    int fd = openat(j->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot create journal segment %s", name);
    if (!pwrite_all(j, fd, head, 0, err))
        goto fail;
    if (j->io->fdatasync(fd) != 0 || fsync(j->dir_fd) != 0) {
        sg_fail_errno(err, SG_E_JOURNAL, "cannot sync journal segment %s", name);
        goto fail;
    }
    *fd_r = fd;
    return true;
fail:
    close(fd);
    unlinkat(j->dir_fd, name, 0);
    return false;
}

/* What could not be opened later, when it is to be fed, would be acknowledged all the same. */
static bool key_try(struct sg_journal *j, const char *binding, const struct sg_secret *key,
                    struct sg_bytes wrapped, struct sg_error *err)
{
    SG_AUTO_SECRET opened = {0};
    return j->options.keys.open(j->options.keys.ctx, binding, wrapped, &opened, err) &&
           (sg_secret_equal(sg_bytes_of(key->data, key->len),
                            sg_bytes_of(opened.data, opened.len)) ||
            sg_fail(err, SG_E_HSM_OPERATION, "what hsmd has wrapped opens as another key"));
}

static bool segment_begin(struct sg_journal *j, struct sg_error *err)
{
    struct journal_writer *w = &j->writer;
    struct journal_head head = {.number = w->next_number, .created = sg_clock_now()};
    char binding[SG_JOURNAL_BINDING];
    SG_AUTO_SECRET key = {0};
    SG_AUTO_BUF wrapped, data;
    sg_buf_init(&wrapped, sizeof head.wrapped);
    sg_buf_init(&data, 0);
    memcpy(head.node, j->node, strlen(j->node) + 1);
    journal_binding(j->node, head.number, binding);
    if (!j->options.keys.make(j->options.keys.ctx, binding, &key, &wrapped, err))
        return false;
    if (key.len != 32 || wrapped.overflown)
        return sg_fail(err, SG_E_INTERNAL, "a data key that does not fit");
    if (!key_try(j, binding, &key, sg_buf_bytes(&wrapped), err))
        return false;
    if (wrapped.len)
        memcpy(head.wrapped, wrapped.data, wrapped.len);
    head.wrapped_len = wrapped.len;
    journal_head_encode(&head, &data);
    w->next_number++; /* whatever comes of it: a number is used once */
    int fd = -1;
    if (!file_make(j, sg_buf_bytes(&data), head.number, &fd, err))
        return false;
    struct journal_segment *s = calloc(1, sizeof *s);
    if (!s) {
        close(fd);
        return sg_fail(err, SG_E_NO_MEMORY, "no memory for a journal segment");
    }
    s->number = head.number;
    s->end = s->start = head.length;
    s->key = key;
    room_cut(j);
    segment_leave(j);
    w->fd = fd;
    w->segment = s;
    w->tail = w->start = w->room = head.length;
    w->room_syncs = ROOM_SYNCS;
    pthread_mutex_lock(&j->lock);
    journal_segment_add(j, s);
    pthread_mutex_unlock(&j->lock);
    sg_log(SG_LOG_INFO, "journal.segment", "segment", sg_log_num((int64_t)s->number), NULL);
    return true;
}

static bool fits(const struct sg_journal *j, uint64_t need, uint64_t limit)
{
    const struct journal_writer *w = &j->writer;
    uint64_t end = w->tail + w->buffer.len;
    return end == w->start || (end < limit && need <= limit - end);
}

/* Nothing of it would be found after a crash. */
static bool is_lost(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    bool lost = j->writer.segment->lost;
    pthread_mutex_unlock(&j->lock);
    return lost;
}

/* A segment that takes need bytes. While no new one can be had (hsmd away), the old one does. */
static bool segment_ready(struct sg_journal *j, uint64_t need, struct sg_error *err)
{
    struct journal_writer *w = &j->writer;
    uint64_t limit = j->options.segment_bytes;
    bool good = w->segment && !is_lost(j);
    if (good && fits(j, need, limit))
        return true;
    bool spare = good && fits(j, need, 2 * limit);
    if (spare && sg_clock_monotonic_ms() < w->retry_ms)
        return true;
    int64_t began = sg_clock_monotonic_ms();
    if (segment_begin(j, err))
        return true;
    sg_log_error(SG_LOG_ERROR, "journal.no-segment", err, NULL);
    int64_t now = sg_clock_monotonic_ms(), pause = (now - began) * RETRY_TIMES;
    w->retry_ms = now + (pause > RETRY_MS ? pause : RETRY_MS);
    return spare;
}

/*
 * Writes one group from *list on and moves *list behind it. On failure the group is cut off again;
 * false: it could not be, and the segment takes nothing more.
 */
static bool group_write(struct sg_journal *j, struct journal_append **list)
{
    struct journal_writer *w = &j->writer;
    struct journal_append *first = *list, *a = first;
    struct sg_error err = {0};
    uint64_t start = w->tail;
    bool ok = true, alone;
    do {
        alone = original_size(a) > GROUP_PIECE;
        ok = frame_write(j, a, &err);
        a = a->next;
    } while (ok && a && !alone && original_size(a) <= GROUP_PIECE &&
             w->buffer.len < FLUSH_BYTES / 2 && fits(j, frame_length(a), j->options.segment_bytes));
    ok = ok && flush(j, &err);
    *list = a;
    for (struct journal_append *g = first; g != a; g = g->next) {
        g->written = ok;
        g->err = err;
    }
    if (ok)
        return true;
    journal_fault(JOURNAL_WRITE);
    sg_log_error(SG_LOG_ERROR, "journal.write", &err, NULL);
    sg_buf_clear(&w->buffer);
    w->tail = start;
    return j->io->ftruncate(w->fd, (off_t)start) == 0;
}

/* Tells those from list up to end what became of them. */
static void tell(struct sg_journal *j, struct journal_append *list, struct journal_append *end)
{
    uint64_t slots = 0;
    pthread_mutex_lock(&j->lock);
    for (struct journal_append *a = list; a != end; a = a->next) {
        a->ok = a->written;
        a->done = true;
        if (a->waits && !a->lead)
            slots |= (uint64_t)1 << a->slot;
    }
    if (j->hungry || j->committed - j->fed >= j->options.feed_batch)
        pthread_cond_signal(&j->feed);
    pthread_mutex_unlock(&j->lock); /* from here on those of the list may be gone */
    for (; slots; slots &= slots - 1)
        pthread_cond_broadcast(&j->wakes[__builtin_ctzll(slots)]);
}
_Static_assert(JOURNAL_WAKES == 64, "a bit each");

/*
 * Writes zeros ahead of the records, so that syncing these need not bring the file's length and
 * blocks to disk as well. Where there is no room for it, it is done without.
 */
static void room_make(struct sg_journal *j)
{
    static const uint8_t zeros[65536];
    struct journal_writer *w = &j->writer;
    uint64_t limit = j->options.segment_bytes;
    w->room_syncs++;
    if (w->tail < w->room || w->tail >= limit)
        return;
    uint64_t end = limit - w->tail < ROOM_BYTES ? limit : w->tail + ROOM_BYTES;
    bool worth = w->room_syncs >= ROOM_SYNCS;
    w->room_syncs = 0;
    for (w->room = w->tail; worth && w->room < end; w->room += sizeof zeros) {
        size_t n = end - w->room < sizeof zeros ? (size_t)(end - w->room) : sizeof zeros;
        struct sg_error ignored = {0};
        if (!pwrite_all(j, w->fd, sg_bytes_of(zeros, n), w->room, &ignored))
            break;
    }
    w->room = end; /* also where it failed: not tried again for each record */
}

/* Brings what was written from list up to end to disk. */
static bool run_sync(struct sg_journal *j, struct journal_append *list,
                     const struct journal_append *end)
{
    struct journal_writer *w = &j->writer;
    struct sg_error err = {0};
    uint64_t count = 0;
    for (struct journal_append *a = list; a != end; a = a->next)
        count += a->written;
    if (count == 0)
        return true;
    room_make(j);
    if (j->io->fdatasync(w->fd) == 0) {
        pthread_mutex_lock(&j->lock);
        j->syncs++;
        journal_count_committed(j, count);
        w->segment->records += count;
        w->segment->end = w->tail;
        pthread_mutex_unlock(&j->lock);
        return true;
    }
    sg_fail_errno(&err, SG_E_JOURNAL, "cannot sync the journal");
    journal_fault(JOURNAL_SYNC);
    sg_log_error(SG_LOG_ERROR, "journal.sync", &err, NULL);
    for (struct journal_append *a = list; a != end; a = a->next) {
        if (a->written)
            a->err = err;
        a->written = false;
    }
    return false;
}

void journal_writer_commit(struct sg_journal *j, struct journal_append *list)
{
    struct sg_error err = {0};
    while (list) {
        struct journal_append *rest = list;
        if (!segment_ready(j, frame_length(list), &err)) {
            for (struct journal_append *a = list; a; a = a->next)
                a->err = err;
            tell(j, list, NULL);
            return;
        }
        bool good;
        do
            good = group_write(j, &rest);
        while (good && rest && fits(j, frame_length(rest), j->options.segment_bytes));
        if (!run_sync(j, list, rest) || !good)
            segment_leave(j); /* after a failed sync nothing it says is believed */
        tell(j, list, rest);
        list = rest;
    }
}
