#include "journal/journal_internal.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char magic[8] = "SGJPOS\r\n";
static const char name[] = "position", fresh[] = "position.new";

#define POSITION_BYTES 28

bool journal_position_read(int dir_fd, uint64_t *number_r, uint64_t *offset_r, bool *found_r,
                           struct sg_error *err)
{
    uint8_t data[POSITION_BYTES];
    size_t n;
    *found_r = false;
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || sg_fail_errno(err, SG_E_JOURNAL, "cannot open %s", name);
    bool ok = journal_pread(fd, data, sizeof data, 0, &n, err);
    close(fd);
    if (!ok && journal_is_unreadable(err)) {
        journal_fault(JOURNAL_NOT_READ);
        sg_log_error(SG_LOG_ERROR, "journal.not-read", err, "file", name, NULL);
        return true;
    }
    if (!ok)
        return false;
    if (n != sizeof data || memcmp(data, magic, sizeof magic) != 0 ||
        journal_get(data + 24, 4) != journal_crc(0, data, 24))
        return true; /* everything is fed again */
    *number_r = journal_get(data + 8, 8);
    *offset_r = journal_get(data + 16, 8);
    *found_r = true;
    return true;
}

bool journal_position_write(int dir_fd, uint64_t number, uint64_t offset, struct sg_error *err)
{
    uint8_t data[POSITION_BYTES];
    memcpy(data, magic, sizeof magic);
    journal_put(data + 8, 8, number);
    journal_put(data + 16, 8, offset);
    journal_put(data + 24, 4, journal_crc(0, data, 24));
    int fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot create %s", fresh);
    bool ok = write(fd, data, sizeof data) == (ssize_t)sizeof data && fdatasync(fd) == 0;
    if (!ok)
        sg_fail_errno(err, SG_E_JOURNAL, "cannot write %s", fresh);
    close(fd);
    if (ok && renameat(dir_fd, fresh, dir_fd, name) != 0)
        ok = sg_fail_errno(err, SG_E_JOURNAL, "cannot rename %s", fresh);
    if (!ok)
        unlinkat(dir_fd, fresh, 0);
    return ok;
}
