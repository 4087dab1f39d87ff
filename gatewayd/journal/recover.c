/* What a crash left: the segments from the fed position on, looked through frame by frame. */
#include "journal/journal_internal.h"

#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS     16
#define ROOM_BLOCK 4096 /* zeros are told from the end of a record by whole blocks of them */

struct numbers {
    uint64_t *list; /* of segments */
    size_t count, cap;
    uint64_t highest; /* of segments and of what was set aside */
};

/* "0000000000000001.sgj" or "0000000000000001@4711.torn" */
static bool name_parse(const char *name, uint64_t *number_r, bool *segment_r)
{
    char ours[SG_JOURNAL_FILE];
    uint64_t n = 0;
    size_t i = 0;
    for (; name[i] >= '0' && name[i] <= '9'; i++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, name[i] - '0', &n))
            return false;
    *number_r = n;
    sg_journal_file_name(n, ours);
    *segment_r = strcmp(name, ours) == 0;
    return *segment_r || (i >= DIGITS && name[i] == '@');
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool numbers_list(int dir_fd, struct numbers *n, struct sg_error *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        sg_fail_errno(err, SG_E_JOURNAL, "cannot list the journal");
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = true;
    for (struct dirent *e; ok && (errno = 0, e = readdir(dir)) != NULL;) {
        uint64_t number;
        bool segment;
        if (!name_parse(e->d_name, &number, &segment))
            continue;
        if (number > n->highest)
            n->highest = number;
        if (!segment)
            continue;
        if (n->count == n->cap) {
            n->cap = n->cap ? n->cap * 2 : 64;
            uint64_t *list = realloc(n->list, n->cap * sizeof *list);
            ok = list != NULL || sg_fail(err, SG_E_NO_MEMORY, "no memory to list the journal");
            n->list = list ? list : n->list;
        }
        if (ok)
            n->list[n->count++] = number;
    }
    if (ok && errno)
        ok = sg_fail_errno(err, SG_E_JOURNAL, "cannot list the journal");
    closedir(dir);
    if (n->count)
        qsort(n->list, n->count, sizeof *n->list, compare);
    return ok;
}

/* Copies what stands from offset up to end into a side file, durably. */
static bool tail_save(struct sg_journal *j, int fd, uint64_t number, uint64_t offset, uint64_t end,
                      struct sg_error *err)
{
    char name[64];
    uint8_t block[65536];
    size_t n;
    snprintf(name, sizeof name, "%016" PRIu64 "@%" PRIu64 ".torn", number, offset);
    int out = openat(j->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot create %s", name);
    bool ok = true;
    do {
        size_t want = end - offset < sizeof block ? (size_t)(end - offset) : sizeof block;
        ok = journal_pread(fd, block, want, offset, &n, err);
        if (ok && n && write(out, block, n) != (ssize_t)n)
            ok = sg_fail_errno(err, SG_E_JOURNAL, "cannot write %s", name);
        offset += n;
    } while (ok && n);
    if (ok && (fdatasync(out) != 0 || fsync(j->dir_fd) != 0))
        ok = sg_fail_errno(err, SG_E_JOURNAL, "cannot sync %s", name);
    close(out);
    return ok;
}

/*
 * Cuts a torn tail off, keeping its bytes beside. Where that fails (the disk is full) the tail
 * stays, and is not read: the segment ends before it for us.
 */
static void tail_cut(struct sg_journal *j, int fd, uint64_t number, uint64_t offset,
                     uint64_t length)
{
    struct sg_error err = {0};
    bool ok = tail_save(j, fd, number, offset, offset + length, &err);
    if (ok && (ftruncate(fd, (off_t)offset) != 0 || fdatasync(fd) != 0))
        ok = sg_fail_errno(&err, SG_E_JOURNAL, "cannot cut the segment");
    journal_fault(JOURNAL_TORN);
    const char *segment = sg_log_num((int64_t)number), *at = sg_log_num((int64_t)offset);
    if (ok)
        sg_log(SG_LOG_ERROR, "journal.torn", "segment", segment, "offset", at, "length",
               sg_log_num((int64_t)length), NULL);
    else
        sg_log_error(SG_LOG_ERROR, "journal.torn", &err, "segment", segment, "offset", at, "length",
                     sg_log_num((int64_t)length), NULL);
}

/* What the records of a segment look like from an offset on. */
struct found {
    uint64_t records, end; /* good ones; behind the last of them */
    bool unreadable;       /* the disk could not read all */
};

static void unreadable_tell(uint64_t number, uint64_t offset, uint64_t length)
{
    journal_fault(JOURNAL_NOT_READ);
    sg_log(SG_LOG_ERROR, "journal.not-read", "segment", sg_log_num((int64_t)number), "offset",
           sg_log_num((int64_t)offset), "length", sg_log_num((int64_t)length), NULL);
}

/* A segment that is looked through. */
struct look {
    int fd;
    uint64_t number;
    uint64_t from; /* before it all is fed */
    bool newest;   /* it alone can be torn: when one is made all of the one before it is on disk */
    bool left;     /* another has records: its end was cut */
};

static bool segment_count(const struct look *look, uint64_t offset, uint64_t size,
                          struct found *found_r, struct sg_error *err)
{
    struct journal_cursor c;
    enum journal_step step = JOURNAL_AT_END;
    journal_cursor_init(&c, look->fd, look->number, offset, size);
    c.whole = look->newest; /* of the others there may be a month: originals are jumped over */
    c.pass_unreadable = true;
    *found_r = (struct found){.end = offset};
    bool ok;
    while ((ok = journal_cursor_next(&c, &step, err)) && step != JOURNAL_AT_END) {
        if (step == JOURNAL_AT_FRAME) {
            found_r->records++;
            found_r->end = c.offset;
        } else if (c.unreadable) {
            found_r->unreadable = true;
            unreadable_tell(look->number, c.damage_offset, c.damage_length);
        } else if (c.offset < size) {
            journal_fault_damaged(look->number, c.damage_offset, c.damage_length, "framing");
        }
    }
    journal_cursor_free(&c);
    return ok;
}

/*
 * Its records are to be fed. Those of a process that was killed before its sync are perhaps in
 * memory alone: what is fed, and by that taken for done, is on disk first.
 */
static bool segment_list(struct sg_journal *j, const struct look *look, uint64_t end,
                         uint64_t records, bool sure, struct sg_error *err)
{
    if (j->io->fdatasync(look->fd) != 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot sync a journal segment");
    struct journal_segment *s = calloc(1, sizeof *s);
    if (!s)
        return sg_fail(err, SG_E_NO_MEMORY, "no memory for a journal segment");
    s->number = look->number;
    s->end = end;
    s->records = records;
    s->closed = true;
    s->whole = look->newest;
    s->unsure = !sure;
    journal_count_committed(j, records);
    journal_segment_add(j, s);
    return true;
}

/*
 * What stands behind the last good record: room that was made ahead (zeros), a torn tail, or both.
 * A segment that others followed was cut when it was left: there it is records that are damaged.
 */
static bool tail_look(struct sg_journal *j, const struct look *look, uint64_t offset, uint64_t size,
                      struct sg_error *err)
{
    uint64_t end;
    if (offset >= size)
        return true;
    if (!journal_zeros_find(look->fd, offset, size, &end, err))
        return false;
    uint64_t room = (end + ROOM_BLOCK - 1) / ROOM_BLOCK * ROOM_BLOCK;
    if (look->left || (!look->newest && end > offset))
        journal_fault_damaged(look->number, offset, size - offset, "the end");
    else if (end > offset)
        tail_cut(j, look->fd, look->number, offset, (room < size ? room : size) - offset);
    else if (ftruncate(look->fd, (off_t)offset) != 0 || j->io->fdatasync(look->fd) != 0)
        sg_log(SG_LOG_WARNING, "journal.not-cut", "segment", sg_log_num((int64_t)look->number),
               NULL);
    return true;
}

/* Somebody has given it the name of another one, perhaps in its place: all that is certain is that
 * nothing is to be done with either before a person has looked. */
static bool foreign_refuse(const struct look *look, const struct journal_head *head,
                           struct sg_error *err)
{
    char name[SG_JOURNAL_FILE], own[SG_JOURNAL_FILE];
    sg_journal_file_name(look->number, name);
    sg_journal_file_name(head->number, own);
    return sg_fail(err, SG_E_CONFIG, "%s has the head of %s of node %s: give it its own name", name,
                   own, head->node);
}

static bool segment_look(struct sg_journal *j, const struct look *look, struct sg_error *err)
{
    struct journal_head head = {0};
    struct found found;
    struct stat st;
    sg_error_reset(err);
    if (fstat(look->fd, &st) != 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot stat a journal segment");
    uint64_t size = (uint64_t)st.st_size;
    bool good = journal_head_read(look->fd, &head, err);
    if (good && head.number != look->number)
        return foreign_refuse(look, &head, err);
    bool unreadable = !good && journal_is_unreadable(err);
    if (!good && !unreadable && err->code == SG_E_IO)
        return false;
    uint64_t offset = look->from > head.length ? look->from : head.length;
    if (!good && !unreadable)
        offset = 0;
    if (offset > size) {
        journal_fault(JOURNAL_SHORT);
        sg_log(SG_LOG_ERROR, "journal.short", "segment", sg_log_num((int64_t)look->number), "size",
               sg_log_num((int64_t)size), "fed", sg_log_num((int64_t)offset), NULL);
    }
    if (offset >= size && (good || unreadable))
        return true;
    if (!segment_count(look, offset, size, &found, err))
        return false;
    /* Nothing is cut. The feeder reads it again, with more patience, and all of it; what cannot be
     * read counts as one record, so that who waits for what the last run left waits for that. */
    if (unreadable || found.unreadable)
        return segment_list(j, look, size, found.records + 1, false, err);
    if (!good && found.records) {
        /* Its data key is lost with the head; the originals can still be opened. */
        journal_fault(JOURNAL_HEADLESS);
        sg_log(SG_LOG_ERROR, "journal.headless", "segment", sg_log_num((int64_t)look->number),
               "records", sg_log_num((int64_t)found.records), NULL);
        return true;
    }
    if (!tail_look(j, look, found.end, size, err))
        return false;
    return found.records == 0 || segment_list(j, look, found.end, found.records, true, err);
}

static int segment_file_open(const struct sg_journal *j, uint64_t number, struct sg_error *err)
{
    char name[SG_JOURNAL_FILE];
    sg_journal_file_name(number, name);
    int fd = openat(j->dir_fd, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        sg_fail_errno(err, SG_E_JOURNAL, "cannot open journal segment %s", name);
    return fd;
}

/* Something was appended to it. */
static bool has_frames(const struct sg_journal *j, uint64_t number)
{
    struct journal_head head;
    struct sg_error ignored = {0};
    struct stat st;
    int fd = segment_file_open(j, number, &ignored);
    if (fd < 0)
        return false;
    uint64_t longest = journal_head_read(fd, &head, &ignored) ? head.length : JOURNAL_HEAD_MAX;
    bool so = fstat(fd, &st) == 0 && (uint64_t)st.st_size > longest;
    close(fd);
    return so;
}

/* The highest that has records; those before it were left, and cut, when it got the first one. */
static uint64_t last_written(const struct sg_journal *j, const struct numbers *n)
{
    size_t i = n->count;
    while (i > 0 && !has_frames(j, n->list[i - 1]))
        i--;
    return i > 0 ? n->list[i - 1] : 0;
}

bool journal_recover(struct sg_journal *j, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct numbers n = {0};
    struct sg_error why = {0};
    const struct journal_place *fed = &f->position.place;
    bool ok =
        journal_position_read(j->dir_fd, &f->position, err) && numbers_list(j->dir_fd, &n, err);
    bool found = f->position.found;
    if (ok && !found && n.count)
        sg_log(SG_LOG_WARNING, "journal.no-position", "segments", sg_log_num((int64_t)n.count),
               NULL);
    uint64_t last = last_written(j, &n);
    for (size_t i = 0; ok && i < n.count; i++) {
        struct look look = {
            .number = n.list[i], .newest = i + 1 == n.count, .left = n.list[i] < last};
        if (found && look.number < fed->number)
            continue;
        look.fd = segment_file_open(j, look.number, err);
        if (look.fd < 0) {
            ok = false;
            break;
        }
        look.from = found && look.number == fed->number ? fed->offset : 0;
        ok = segment_look(j, &look, &why);
        if (!ok && err)
            *err = why;
        close(look.fd);
    }
    f->found = j->committed;
    j->fed_segment = fed->number;
    uint64_t highest = n.highest > fed->number ? n.highest : fed->number;
    j->writer.next_number = highest + 1;
    free(n.list);
    if (ok && j->committed)
        sg_log(SG_LOG_INFO, "journal.replay", "records", sg_log_num((int64_t)j->committed), NULL);
    return ok;
}
