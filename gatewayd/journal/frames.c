/* Reads the frames of the segment that the feeder stands in, and passes over what is no record. */
#include "journal/feeder.h"

#include "common/log.h"
#include "spool/aead.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The disk cannot read what comes next: notes that, and for how long it has been so. */
static void stuck_note(struct sg_journal *j)
{
    struct journal_feeder *f = &j->feeder;
    if (f->tries && f->stuck.number == f->segment->number && f->stuck.offset == f->offset) {
        f->tries++;
        return;
    }
    f->stuck = (struct journal_place){f->segment->number, f->offset};
    f->stuck_ms = sg_clock_monotonic_ms();
    f->tries = 1;
}

/* It is the same place, and has been tried for so long that it will stay so. One bad block is
 * seldom alone, and all mail may wait for this. */
static bool stuck_for_good(const struct sg_journal *j)
{
    const struct journal_feeder *f = &j->feeder;
    return f->tries >= JOURNAL_TRIES && f->stuck.number == f->segment->number &&
           f->stuck.offset == f->offset &&
           (f->passed || sg_clock_monotonic_ms() - f->stuck_ms >= j->options.unreadable_ms);
}

/* To the writer, which leaves it. */
static void lost_note(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->feeder.segment->lost = true;
    pthread_mutex_unlock(&j->lock);
}

/*
 * What was made in this run is known without its head: that it stands on the disk as it was written
 * counts after a crash alone, so that no more is to be written behind one that does not.
 */
static void head_remembered(struct sg_journal *j, int fd)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error err = {0};
    if (!journal_head_read(fd, &f->head, &err) || f->head.number != f->segment->number) {
        journal_fault(JOURNAL_HEADLESS);
        sg_log_error(SG_LOG_ERROR, "journal.headless", &err, "segment",
                     sg_log_num((int64_t)f->segment->number), NULL);
        lost_note(j);
    }
    memcpy(f->head.node, j->node, strlen(j->node) + 1);
    f->head.number = f->segment->number;
    f->head.length = f->segment->start;
}

static bool head_learn(struct sg_journal *j, int fd, bool *lost_r, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    if (f->segment->start) {
        head_remembered(j, fd);
        return true;
    }
    if (journal_head_read(fd, &f->head, err))
        return true;
    bool unreadable = journal_is_unreadable(err);
    *lost_r = err->code == SG_E_MALFORMED || (unreadable && stuck_for_good(j));
    if (unreadable)
        stuck_note(j);
    return false;
}

bool journal_key_open(const struct sg_journal *j, const struct journal_head *head,
                      struct sg_secret *key_r, struct sg_error *err)
{
    char binding[SG_JOURNAL_BINDING];
    journal_binding(head->node, head->number, binding);
    return j->options.keys.open(j->options.keys.ctx, binding,
                                sg_bytes_of(head->wrapped, head->wrapped_len), key_r, err);
}

/* Opens the file and, where it is not known, the data key. *lost_r: the file is not there, or its
 * head is no head, or cannot be read for good. */
bool journal_segment_open(struct sg_journal *j, bool *lost_r, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    char name[SG_JOURNAL_FILE];
    sg_journal_file_name(f->segment->number, name);
    *lost_r = false;
    if (f->fd < 0) {
        int fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            *lost_r = errno == ENOENT;
            sg_fail_errno(err, SG_E_JOURNAL, "cannot open journal segment %s", name);
            if (*lost_r)
                lost_note(j);
            return false;
        }
        if (!head_learn(j, fd, lost_r, err)) {
            close(fd);
            return false;
        }
        f->fd = fd;
        if (f->offset < f->head.length)
            f->offset = f->head.length;
    }
    return f->segment->key.len || journal_key_open(j, &f->head, &f->segment->key, err);
}

void journal_tell_damage(struct journal_feeder *f, uint64_t offset, uint64_t length,
                         const char *what)
{
    f->told = true;
    journal_fault_damaged(f->segment->number, offset, length, what);
}

/* That hsmd is away and gives no key is no fault of the journal. */
void journal_tell_not_read(uint64_t number, const struct sg_error *err)
{
    if (err->code == SG_E_IO || err->code == SG_E_JOURNAL)
        journal_fault(JOURNAL_NOT_READ);
    sg_log_error(SG_LOG_WARNING, "journal.not-read", err, "segment", sg_log_num((int64_t)number),
                 NULL);
}

void journal_record_of(const struct journal_head *head, const struct journal_frame *frame,
                       struct sg_bytes payload, struct sg_journal_record *r)
{
    memset(r, 0, sizeof *r);
    r->type = frame->type;
    r->at = frame->at;
    memcpy(r->id, frame->id, sizeof r->id);
    r->payload = payload;
    if (frame->original)
        journal_ref(head->node, frame->number, frame->offset, r->archive_ref);
}

/* Opens the frame that the cursor has read and puts it into the batch. */
void journal_frame_take(struct sg_journal *j, const struct journal_cursor *c)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_journal_record *r = &f->batch[f->count];
    struct sg_error err = {0};
    SG_AUTO_BUF payload;
    sg_buf_init(&payload, 0);
    f->seen++;
    f->settled += f->seen <= f->records; /* more may be found than could be read when counted */
    if (!sg_aead_open(&f->segment->key, journal_frame_aad(c->head), sg_buf_bytes(&c->piece),
                      &payload, &err)) {
        journal_tell_damage(f, c->frame.offset, c->frame.length, "seal");
        return;
    }
    journal_record_of(&f->head, &c->frame, sg_arena_copy(f->arena, sg_buf_bytes(&payload)), r);
    f->places[f->count] = (struct journal_place){c->frame.number, c->frame.offset};
    f->count++;
    f->bytes += payload.len;
}

/* Reads frames of the segment at hand up to end, or until the batch is full. */
bool journal_frames_read(struct sg_journal *j, uint64_t end, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct journal_cursor c;
    bool ok = true;
    journal_cursor_init(&c, f->fd, f->segment->number, f->offset, end);
    c.whole = f->segment->whole;
    while (!journal_batch_full(j) && f->offset < end) {
        enum journal_step step;
        c.pass_unreadable = stuck_for_good(j);
        ok = journal_cursor_next(&c, &step, err);
        if (!ok)
            break;
        if (step == JOURNAL_AT_DAMAGE)
            journal_tell_damage(f, c.damage_offset, c.damage_length,
                                c.unreadable ? "unreadable" : "framing");
        else if (step == JOURNAL_AT_FRAME)
            journal_frame_take(j, &c);
        f->passed |= step == JOURNAL_AT_DAMAGE && c.unreadable;
        f->offset = step == JOURNAL_AT_END ? end : c.offset; /* behind room that was made, too */
    }
    journal_cursor_free(&c);
    if (!ok && journal_is_unreadable(err))
        stuck_note(j);
    return ok;
}
