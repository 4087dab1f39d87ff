#include "journal/reader.h"

#include "journal/cursor.h"
#include "journal/original.h"
#include "spool/aead.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
    const struct sg_journal_reader *reader;
    struct journal_head head;
    struct sg_secret key;
    struct journal_cursor cursor;
    struct sg_buf payload;
};

static bool file_open(const char *path, int *fd_r, uint64_t *size_r, struct sg_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_IO, "cannot open %s", path);
    if (fstat(fd, &st) != 0) {
        sg_fail_errno(err, SG_E_IO, "cannot stat %s", path);
        close(fd);
        return false;
    }
    *fd_r = fd;
    *size_r = (uint64_t)st.st_size;
    return true;
}

static bool segment_announce(struct reading *r, struct sg_error *err)
{
    if (!r->reader->segment)
        return true;
    struct sg_journal_segment segment = {
        .node = r->head.node,
        .number = r->head.number,
        .created = r->head.created,
        .wrapped = sg_bytes_of(r->head.wrapped, r->head.wrapped_len),
    };
    journal_binding(r->head.node, r->head.number, segment.binding);
    return r->reader->segment(r->reader->ctx, &segment, &r->key, err);
}

static void damage_tell(const struct reading *r, uint64_t offset, uint64_t length, const char *what)
{
    if (r->reader->damaged)
        r->reader->damaged(r->reader->ctx, offset, length, what);
}

static bool frame_hand(struct reading *r, struct sg_error *err)
{
    const struct journal_frame *f = &r->cursor.frame;
    struct sg_journal_entry entry = {
        .record = {.type = f->type, .at = f->at},
        .offset = f->offset,
        .length = f->length,
        .has_original = f->original,
    };
    memcpy(entry.record.id, f->id, sizeof f->id);
    memcpy(entry.archive_key_id, f->key_id, sizeof f->key_id);
    if (f->original)
        journal_ref(r->head.node, f->number, f->offset, entry.record.archive_ref);
    if (r->key.len) {
        struct sg_error why = {0};
        sg_buf_clear(&r->payload);
        if (!sg_aead_open(&r->key, journal_frame_aad(r->cursor.head),
                          sg_buf_bytes(&r->cursor.piece), &r->payload, &why)) {
            damage_tell(r, f->offset, f->length, "seal");
            return true;
        }
        entry.record.payload = sg_buf_bytes(&r->payload);
    }
    return r->reader->record(r->reader->ctx, &entry, err);
}

static bool segment_walk(struct reading *r, struct sg_error *err)
{
    for (;;) {
        enum journal_step step;
        if (!journal_cursor_next(&r->cursor, &step, err))
            return false;
        if (step == JOURNAL_AT_END)
            return true;
        if (step == JOURNAL_AT_DAMAGE)
            damage_tell(r, r->cursor.damage_offset, r->cursor.damage_length, "framing");
        else if (!frame_hand(r, err))
            return false;
    }
}

bool sg_journal_read_segment(const char *path, uint64_t offset,
                             const struct sg_journal_reader *reader, struct sg_error *err)
{
    struct reading r = {.reader = reader};
    uint64_t size;
    int fd;
    if (!file_open(path, &fd, &size, err))
        return false;
    bool ok = journal_head_read(fd, &r.head, err) && segment_announce(&r, err);
    if (ok) {
        journal_cursor_init(&r.cursor, fd, r.head.number, offset ? offset : r.head.length, size);
        r.cursor.whole = !reader->payloads_alone;
        ok = segment_walk(&r, err);
        journal_cursor_free(&r.cursor);
    }
    sg_secret_wipe(&r.key);
    sg_buf_free(&r.payload);
    close(fd);
    return ok;
}

bool sg_journal_read_original(const char *path, uint64_t offset,
                              const struct sg_secret *archive_key, const struct sg_sink *sink,
                              struct sg_error *err)
{
    struct journal_head head;
    struct journal_cursor cursor;
    enum journal_step step;
    uint64_t size;
    int fd;
    if (!file_open(path, &fd, &size, err))
        return false;
    bool ok = journal_head_read(fd, &head, err);
    if (ok) {
        journal_cursor_init(&cursor, fd, head.number, offset, size);
        ok = journal_cursor_next(&cursor, &step, err);
        if (ok && step != JOURNAL_AT_FRAME)
            ok = sg_fail(err, SG_E_NOT_FOUND, "no record at this place of the segment");
        ok = ok && journal_original_open(&cursor, archive_key, sink, err);
        journal_cursor_free(&cursor);
    }
    close(fd);
    return ok;
}
