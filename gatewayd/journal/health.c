/*
 * Whether the disk takes what is appended. Who is told that it does not may send no mail any more,
 * so that no append would show that it does again: it is tried.
 */
#include "journal/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PROBE_BYTES (1 << 20)
#define PROBE_MS    1000

static const char name[] = "probe";

/* hsmd and the archive's keys have their own ways to say that they are away. */
static bool is_of_the_disk(const struct sg_error *err)
{
    return err->code == SG_E_JOURNAL || err->code == SG_E_TIMEOUT;
}

void journal_health_note(struct sg_journal *j, const struct sg_error *err)
{
    if (!err)
        j->fault.code = SG_OK;
    else if (is_of_the_disk(err))
        j->fault = *err;
}

bool sg_journal_takes(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    bool takes = !j->refuses;
    pthread_mutex_unlock(&j->lock);
    return takes;
}

/* A file that nobody sees, beside the segments: these take records alone. */
static bool probe(struct sg_journal *j, struct sg_error *err)
{
    static const uint8_t zeros[65536];
    ssize_t n = sizeof zeros;
    int fd = openat(j->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot create a file beside the journal");
    unlinkat(j->dir_fd, name, 0);
    for (off_t at = 0; n == sizeof zeros && at < PROBE_BYTES; at += n)
        n = j->io->pwrite(fd, zeros, sizeof zeros, at);
    errno = n < 0 ? errno : ENOSPC; /* of what is written in part the rest finds no room */
    bool ok = n == sizeof zeros && j->io->fdatasync(fd) == 0;
    if (!ok)
        sg_fail_errno(err, SG_E_JOURNAL, "cannot write beside the journal");
    close(fd);
    return ok;
}

bool sg_journal_health(struct sg_journal *j, struct sg_error *err)
{
    pthread_mutex_lock(&j->lock);
    struct sg_error fault = j->fault;
    pthread_mutex_unlock(&j->lock);
    if (fault.code == SG_OK)
        return true;
    int64_t now = sg_clock_monotonic_ms();
    bool good = now >= j->probe_ms && probe(j, &fault);
    if (now >= j->probe_ms)
        j->probe_ms = sg_clock_monotonic_ms() + PROBE_MS;
    pthread_mutex_lock(&j->lock);
    if (good)
        j->fault.code = SG_OK;
    else if (j->fault.code != SG_OK)
        j->fault = fault;
    pthread_mutex_unlock(&j->lock);
    if (!good && err)
        *err = fault;
    return good;
}
