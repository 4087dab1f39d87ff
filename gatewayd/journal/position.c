/*
 * Where the feed stands: in two files that are written in turn, so that one of them is whole
 * whatever becomes of the other. Where the first is missing somebody has removed it, so that all is
 * fed anew.
 */
#include "journal/journal_internal.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "SGJPOS\r\n";
static const char *const names[2] = {"position", "position.2"};

#define POSITION_BYTES 28
#define TRIES          3 /* of what the disk cannot read */

static bool is_good(const uint8_t data[POSITION_BYTES], size_t n)
{
    return n == POSITION_BYTES && memcmp(data, magic, sizeof magic) == 0 &&
           journal_get(data + 24, 4) == journal_crc(0, data, 24);
}

/* What one of them says. One that is damaged, or cannot be read, says nothing. */
static bool file_read(int fd, const char *name, struct journal_place *place_r, bool *good_r,
                      struct sg_error *err)
{
    uint8_t data[POSITION_BYTES];
    struct sg_error why;
    size_t n;
    bool ok = false, unreadable = true;
    for (int i = 0; !ok && unreadable && i < TRIES; i++) {
        sg_error_reset(&why);
        ok = journal_pread(fd, data, sizeof data, 0, &n, &why);
        unreadable = !ok && journal_is_unreadable(&why);
    }
    *good_r = ok && is_good(data, n);
    if (*good_r) {
        *place_r = (struct journal_place){journal_get(data + 8, 8), journal_get(data + 16, 8)};
    } else if (ok) {
        sg_log(SG_LOG_WARNING, "journal.position", "file", name, "what", "damaged", NULL);
    } else if (unreadable) {
        journal_fault(JOURNAL_NOT_READ);
        sg_log_error(SG_LOG_ERROR, "journal.not-read", &why, "file", name, NULL);
    } else if (err) {
        *err = why;
    }
    return ok || unreadable;
}

/* What the other file says is of another time; it must not count once there is a first one. */
static bool second_remove(int dir_fd, struct sg_error *err)
{
    return unlinkat(dir_fd, names[1], 0) == 0 || errno == ENOENT ||
           sg_fail_errno(err, SG_E_JOURNAL, "cannot remove %s", names[1]);
}

static bool is_behind(const struct journal_place *a, const struct journal_place *b)
{
    return a->number < b->number || (a->number == b->number && a->offset < b->offset);
}

bool journal_position_read(int dir_fd, struct journal_position *position_r, struct sg_error *err)
{
    struct journal_position *p = position_r;
    *p = (struct journal_position){0};
    for (unsigned i = 0; i < 2; i++) {
        struct journal_place place;
        bool good;
        int fd = openat(dir_fd, names[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
            return sg_fail_errno(err, SG_E_JOURNAL, "cannot open %s", names[i]);
        if (fd < 0)
            return i == 1 || second_remove(dir_fd, err);
        bool ok = file_read(fd, names[i], &place, &good, err);
        close(fd);
        if (!ok)
            return false;
        if (good && (!p->found || is_behind(&p->place, &place))) {
            p->found = true;
            p->place = place;
            p->next = 1 - i;
        }
    }
    return true;
}

bool journal_position_write(int dir_fd, struct journal_position *position,
                            const struct journal_place *place, struct sg_error *err)
{
    const char *name = names[position->next];
    uint8_t data[POSITION_BYTES];
    struct stat st;
    memcpy(data, magic, sizeof magic);
    journal_put(data + 8, 8, place->number);
    journal_put(data + 16, 8, place->offset);
    journal_put(data + 24, 4, journal_crc(0, data, 24));
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot create %s", name);
    bool ok = fstat(fd, &st) == 0 && pwrite(fd, data, sizeof data, 0) == (ssize_t)sizeof data &&
              fdatasync(fd) == 0 && (st.st_size > 0 || fsync(dir_fd) == 0);
    if (!ok)
        sg_fail_errno(err, SG_E_JOURNAL, "cannot write %s", name);
    close(fd);
    if (ok) {
        position->place = *place;
        position->found = true;
        position->next = 1 - position->next;
    }
    return ok;
}
