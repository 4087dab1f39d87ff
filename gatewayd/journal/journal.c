#include "journal/journal_internal.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void journal_segment_add(struct sg_journal *j, struct journal_segment *segment)
{
    if (!j->segments)
        j->segments_end = &j->segments;
    *j->segments_end = segment;
    j->segments_end = &segment->next;
}

static bool options_check(const struct sg_journal_options *o, struct sg_error *err)
{
    if (!o->dir || !o->node || !journal_node_valid(o->node))
        return sg_fail(err, SG_E_CONFIG, "journal: a node is named by 1 to %d of A-Z a-z 0-9 . - _",
                       SG_JOURNAL_NODE_MAX);
    if (o->segment_bytes == 0 || o->segment_bytes > JOURNAL_FRAME_MAX || o->feed_batch == 0)
        return sg_fail(err, SG_E_CONFIG, "journal: segment size or batch out of range");
    return true;
}

static bool parent_sync(int dir_fd)
{
    int fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* The directory, which belongs to this process alone. */
static bool dir_open(struct sg_journal *j, struct sg_error *err)
{
    struct stat st;
    bool made = mkdir(j->dir, 0700) == 0;
    if (!made && errno != EEXIST)
        return sg_fail_errno(err, SG_E_CONFIG, "cannot create %s", j->dir);
    j->dir_fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir_fd < 0 || fstat(j->dir_fd, &st) != 0)
        return sg_fail_errno(err, SG_E_CONFIG, "cannot open %s", j->dir);
    if (made && !parent_sync(j->dir_fd))
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot sync the directory of %s", j->dir);
    if (st.st_mode & 0077)
        return sg_fail(err, SG_E_CONFIG, "%s: must be closed to others (mode 0700)", j->dir);
    j->lock_fd = openat(j->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->lock_fd < 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "cannot create %s/lock", j->dir);
    if (flock(j->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return sg_fail_errno(err, SG_E_JOURNAL, "%s is in use by another process", j->dir);
    return true;
}

static struct sg_journal *journal_new(const struct sg_journal_options *o,
                                      const struct journal_io *io)
{
    struct sg_journal *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->options = *o;
    j->io = io;
    j->dir = strdup(o->dir);
    j->node = strdup(o->node);
    j->options.dir = j->dir;
    j->options.node = j->node;
    j->feeder.batch = calloc(o->feed_batch, sizeof *j->feeder.batch);
    j->feeder.places = calloc(o->feed_batch, sizeof *j->feeder.places);
    j->dir_fd = j->lock_fd = j->writer.fd = j->feeder.fd = -1;
    j->queue_end = &j->queue;
    j->segments_end = &j->segments;
    sg_buf_init(&j->writer.buffer, 0);
    sg_buf_init(&j->witness.payload, 0);
    pthread_mutex_init(&j->lock, NULL);
    for (size_t i = 0; i < JOURNAL_WAKES; i++)
        journal_cond_init(&j->wakes[i]);
    journal_cond_init(&j->idle);
    journal_cond_init(&j->feed);
    journal_cond_init(&j->settled);
    return j;
}

static void journal_free(struct sg_journal *j)
{
    journal_writer_close(j);
    journal_feeder_free(j);
    sg_buf_free(&j->witness.payload);
    for (struct journal_segment *s = j->segments, *next; s; s = next) {
        next = s->next;
        sg_secret_wipe(&s->key);
        free(s);
    }
    pthread_cond_destroy(&j->settled);
    pthread_cond_destroy(&j->feed);
    pthread_cond_destroy(&j->idle);
    for (size_t i = 0; i < JOURNAL_WAKES; i++)
        pthread_cond_destroy(&j->wakes[i]);
    pthread_mutex_destroy(&j->lock);
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    if (j->dir_fd >= 0)
        close(j->dir_fd);
    free(j->node);
    free(j->dir);
    free(j);
}

bool journal_open_io(const struct sg_journal_options *options, const struct journal_io *io,
                     struct sg_journal **journal_r, struct sg_error *err)
{
    if (!options_check(options, err))
        return false;
    struct sg_journal *j = journal_new(options, io);
    bool ok = j && j->dir && j->node && j->feeder.batch && j->feeder.places;
    if (!ok)
        sg_fail(err, SG_E_NO_MEMORY, "no memory for the journal");
    ok = ok && dir_open(j, err) && journal_recover(j, err);
    if (ok) {
        errno = pthread_create(&j->feeding, NULL, journal_feeder_run, j);
        ok = errno == 0 || sg_fail_errno(err, SG_E_NO_MEMORY, "cannot start the journal's feeder");
    }
    if (ok)
        *journal_r = j;
    else if (j)
        journal_free(j);
    return ok;
}

bool sg_journal_open(const struct sg_journal_options *options, struct sg_journal **journal_r,
                     struct sg_error *err)
{
    return journal_open_io(options, &journal_io_system, journal_r, err);
}

bool sg_journal_drain(struct sg_journal *j, int64_t timeout_ms, struct sg_error *err)
{
    int64_t until = sg_clock_monotonic_ms() + timeout_ms;
    pthread_mutex_lock(&j->lock);
    uint64_t target = j->committed;
    j->drainers++;
    pthread_cond_signal(&j->feed);
    bool in_time = true;
    while (j->fed < target && !j->stopping && in_time)
        in_time = journal_cond_wait(&j->settled, &j->lock, until);
    bool ok = j->fed >= target;
    uint64_t left = ok ? 0 : target - j->fed;
    j->drainers--;
    pthread_mutex_unlock(&j->lock);
    return ok || sg_fail(err, SG_E_TIMEOUT, "%llu records of the journal are not fed yet",
                         (unsigned long long)left);
}

void sg_journal_close(struct sg_journal **journal)
{
    if (!journal || !*journal)
        return;
    struct sg_journal *j = *journal;
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_broadcast(&j->feed);
    pthread_cond_broadcast(&j->settled);
    while (j->appenders)
        pthread_cond_wait(&j->idle, &j->lock);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->feeding, NULL);
    journal_free(j);
    *journal = NULL;
}

uint64_t sg_journal_backlog(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t n = j->committed - j->fed;
    pthread_mutex_unlock(&j->lock);
    return n;
}

void journal_count_committed(struct sg_journal *j, uint64_t records)
{
    bool first = j->committed == j->fed;
    j->committed += records;
    if (!first)
        return;
    j->oldest_ms = j->mark_ms = sg_clock_monotonic_ms();
    j->mark = j->committed;
}

void journal_count_fed(struct sg_journal *j, uint64_t records)
{
    j->fed += records;
    if (j->fed < j->mark)
        return;
    j->oldest_ms = j->mark_ms;
    j->mark_ms = sg_clock_monotonic_ms();
    j->mark = j->committed;
}

int64_t sg_journal_oldest_ms(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    int64_t ms = j->committed == j->fed ? 0 : sg_clock_monotonic_ms() - j->oldest_ms;
    pthread_mutex_unlock(&j->lock);
    return ms;
}

uint64_t sg_journal_fed_segment(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t number = j->fed_segment;
    pthread_mutex_unlock(&j->lock);
    return number;
}

uint64_t sg_journal_set_aside(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t n = j->set_aside;
    pthread_mutex_unlock(&j->lock);
    return n;
}

uint64_t journal_syncs(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t n = j->syncs;
    pthread_mutex_unlock(&j->lock);
    return n;
}
