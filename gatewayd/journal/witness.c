/*
 * A record that the database has taken, to be handed on once more: whether it takes anything. The
 * last of this run, or, where this run has fed none, the last that the journal's files tell of.
 */
#include "journal/feeder.h"

#include "common/log.h"
#include "spool/aead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void journal_witness_note(struct journal_witness *w, const struct sg_journal_record *record)
{
    sg_buf_clear(&w->payload);
    sg_buf_add(&w->payload, record->payload.data, record->payload.len);
    w->record = *record;
    w->record.payload = sg_buf_bytes(&w->payload);
    w->known = true;
}

/* Places of records that were set aside, in order. */
struct places {
    struct journal_place *list;
    size_t count;
};

static bool is_among(const struct places *p, const struct journal_place *place)
{
    return p->count && bsearch(place, p->list, p->count, sizeof *p->list, journal_place_compare);
}

/* Where the last record before end stands that was taken; 0: there is none. */
static bool last_find(int fd, const struct journal_head *head, uint64_t end,
                      const struct places *aside, uint64_t *offset_r, struct sg_error *err)
{
    struct journal_cursor c;
    enum journal_step step = JOURNAL_AT_END;
    bool ok;
    *offset_r = 0;
    journal_cursor_init(&c, fd, head->number, head->length, end);
    while ((ok = journal_cursor_next(&c, &step, err)) && step != JOURNAL_AT_END) {
        struct journal_place place = {c.frame.number, c.frame.offset};
        if (step == JOURNAL_AT_FRAME && !is_among(aside, &place))
            *offset_r = place.offset;
    }
    journal_cursor_free(&c);
    return ok;
}

/* Opens the record at offset and notes it. */
static bool record_note(struct sg_journal *j, int fd, const struct journal_head *head,
                        uint64_t offset, struct sg_error *err)
{
    struct journal_cursor c;
    struct sg_secret key = {0};
    struct sg_journal_record record;
    enum journal_step step;
    SG_AUTO_BUF payload;
    sg_buf_init(&payload, 0);
    journal_cursor_init(&c, fd, head->number, offset, UINT64_MAX);
    bool ok = journal_cursor_next(&c, &step, err) && journal_key_open(j, head, &key, err) &&
              sg_aead_open(&key, journal_frame_aad(c.head), sg_buf_bytes(&c.piece), &payload, err);
    if (ok) {
        journal_record_of(head, &c.frame, sg_buf_bytes(&payload), &record);
        journal_witness_note(&j->witness, &record);
    }
    journal_cursor_free(&c);
    sg_secret_wipe(&key);
    return ok;
}

/* Looks through what is fed of that segment, up to end. *there_r: there is such a file. */
static bool segment_search(struct sg_journal *j, uint64_t number, uint64_t end,
                           const struct places *aside, bool *there_r, struct sg_error *err)
{
    struct journal_head head;
    char name[SG_JOURNAL_FILE];
    uint64_t offset;
    sg_journal_file_name(number, name);
    int fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC);
    *there_r = fd >= 0;
    if (fd < 0)
        return errno == ENOENT || sg_fail_errno(err, SG_E_JOURNAL, "cannot open %s", name);
    bool ok = journal_head_read(fd, &head, err) && last_find(fd, &head, end, aside, &offset, err) &&
              (offset == 0 || record_note(j, fd, &head, offset, err));
    close(fd);
    return ok;
}

/* From where the feed stands back, as far as there are segments. */
static bool files_search(struct sg_journal *j, struct sg_error *err)
{
    const struct journal_place *fed = &j->feeder.position.place;
    struct places aside = {0};
    uint64_t number = fed->number, end = fed->offset;
    bool there = true;
    if (!journal_aside_read(j->dir_fd, &aside.list, &aside.count, err))
        return false;
    bool ok = true;
    for (; ok && there && number > 0 && !j->witness.known; number--, end = UINT64_MAX)
        ok = segment_search(j, number, end, &aside, &there, err);
    free(aside.list);
    return ok;
}

bool journal_witness_find(struct sg_journal *j)
{
    struct journal_witness *w = &j->witness;
    struct sg_error err = {0};
    if (!w->known && !w->sought) {
        w->sought = files_search(j, &err);
        if (!w->sought)
            sg_log_error(SG_LOG_WARNING, "journal.not-read", &err, NULL);
    }
    return w->known;
}
