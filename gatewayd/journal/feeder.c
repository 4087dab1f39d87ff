/*
 * The feeder: reads committed frames, opens them and hands them on in batches. The position is
 * written after a batch was taken, so that a crash repeats at most that batch.
 */
#include "journal/feeder.h"

#include "common/log.h"

#include <stdlib.h>
#include <unistd.h>

#define BACKOFF_MAX_MS 5000
#define BATCH_BYTES    ((size_t)8 << 20)

/* What the feeder may see of the segment at hand. */
struct view {
    uint64_t end, records;
    bool over; /* another follows, and of this one nothing more comes */
};

/* false: there is no segment yet. */
static bool segment_view(struct sg_journal *j, struct view *view_r)
{
    struct journal_feeder *f = &j->feeder;
    pthread_mutex_lock(&j->lock);
    if (!f->segment && j->segments) {
        f->segment = j->segments;
        f->offset = f->segment->number == f->position.place.number ? f->position.place.offset : 0;
        f->seen = 0;
    }
    if (f->segment)
        *view_r = (struct view){f->segment->end, f->segment->records,
                                f->segment->closed && f->segment->next};
    pthread_mutex_unlock(&j->lock);
    return f->segment != NULL;
}

static void segment_drop(struct sg_journal *j)
{
    struct journal_feeder *f = &j->feeder;
    struct journal_segment *s = f->segment;
    pthread_mutex_lock(&j->lock);
    j->segments = s->next;
    pthread_mutex_unlock(&j->lock);
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    f->segment = NULL;
    f->passed = false;
    sg_secret_wipe(&s->key);
    free(s);
}

bool journal_batch_full(const struct sg_journal *j)
{
    return j->feeder.count >= j->options.feed_batch || j->feeder.bytes >= BATCH_BYTES;
}

/* All that is committed of the segment at hand was read. Records that damage hid since they were
 * counted are settled with the rest. */
static void segment_end(struct sg_journal *j, const struct view *view)
{
    struct journal_feeder *f = &j->feeder;
    uint64_t hidden = view->records > f->seen ? view->records - f->seen : 0;
    if (hidden && !f->told && !f->segment->unsure)
        journal_tell_damage(f, view->end, 0,
                            "records before it are gone"); /* zeros look like room */
    f->settled += hidden;
    f->seen = view->records;
    f->told = false;
}

/* Fills the batch with what is committed. After false the batch may hold a part, which counts. */
bool journal_batch_gather(struct sg_journal *j, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct view view = {0};
    while (!journal_batch_full(j) && segment_view(j, &view)) {
        if (f->offset >= view.end) {
            segment_end(j, &view);
            if (!view.over)
                return true;
            segment_drop(j);
            continue;
        }
        f->records = view.records;
        bool lost;
        if (journal_segment_open(j, &lost, err)) {
            if (!journal_frames_read(j, view.end, err))
                return false;
        } else if (lost) {
            journal_tell_damage(f, f->offset, view.end - f->offset, err->detail);
            f->offset = view.end;
        } else if (!journal_segment_given_up(j, err)) {
            return false;
        } else {
            struct sg_error why = *err;
            if (!journal_segment_set_aside(j, view.end, &why, err))
                return false;
        }
    }
    return true;
}

/* Sleeps for the back-off, which grows. false: the journal is closing. */
bool journal_back_off(struct sg_journal *j, int64_t *ms)
{
    int64_t until = sg_clock_monotonic_ms() + *ms;
    *ms = *ms * 2 < BACKOFF_MAX_MS ? *ms * 2 : BACKOFF_MAX_MS;
    pthread_mutex_lock(&j->lock);
    while (!j->stopping && journal_cond_wait(&j->feed, &j->lock, until))
        ;
    bool go_on = !j->stopping;
    pthread_mutex_unlock(&j->lock);
    return go_on;
}

void journal_batch_reset(struct journal_feeder *f)
{
    sg_arena_free(&f->arena);
    f->arena = sg_arena_new();
    f->count = f->bytes = 0;
    f->settled = 0;
}

/* The batch was taken: writes the position and counts. */
static void batch_settle(struct sg_journal *j)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error err = {0};
    bool moved = f->segment && f->settled;
    struct journal_place place = {moved ? f->segment->number : 0, f->offset};
    bool noted = moved && journal_position_write(j->dir_fd, &f->position, &place, &err);
    if (moved && !noted)
        sg_log_error(SG_LOG_WARNING, "journal.position", &err, NULL);
    pthread_mutex_lock(&j->lock);
    if (noted)
        j->fed_segment = f->segment->number;
    journal_count_fed(j, f->settled);
    pthread_cond_broadcast(&j->settled);
    pthread_mutex_unlock(&j->lock);
}

/* What was set aside is to be tried: when all that the last run left is fed, for mail waits for
 * that. Called under lock. */
static bool aside_due(const struct sg_journal *j)
{
    const struct journal_feeder *f = &j->feeder;
    return !f->aside_done && j->fed >= f->found && sg_clock_monotonic_ms() >= f->aside_ms;
}

/* Until a first record comes, or what was set aside is due. Called under lock. */
static void record_await(struct sg_journal *j)
{
    const struct journal_feeder *f = &j->feeder;
    while (!j->stopping && j->committed == j->fed && !aside_due(j)) {
        if (f->aside_done)
            pthread_cond_wait(&j->feed, &j->lock);
        else
            (void)journal_cond_wait(&j->feed, &j->lock, f->aside_ms);
    }
}

/* Until there is a batch, or something for feed_interval_ms, or what was set aside is due, which
 * *aside_r tells. false: the journal is closing. */
static bool work_await(struct sg_journal *j, bool *aside_r)
{
    pthread_mutex_lock(&j->lock);
    j->hungry = true;
    record_await(j);
    j->hungry = false;
    *aside_r = aside_due(j);
    int64_t until = sg_clock_monotonic_ms() + j->options.feed_interval_ms;
    while (!*aside_r && !j->stopping && !j->drainers &&
           j->committed - j->fed < j->options.feed_batch &&
           journal_cond_wait(&j->feed, &j->lock, until))
        ;
    bool go_on = !j->stopping;
    pthread_mutex_unlock(&j->lock);
    return go_on;
}

/* Reads a batch, hands it on, and waits where something of it could not be read. false: the
 * journal is closing. */
static bool batch_work(struct sg_journal *j, int64_t *ms)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error err = {0};
    struct journal_place before = f->stuck;
    journal_batch_reset(f);
    bool good = journal_batch_gather(j, &err);
    if (before.number != f->stuck.number || before.offset != f->stuck.offset)
        *ms = JOURNAL_BACKOFF_MS; /* another place than the one that was waited for */
    if (!journal_batch_feed(j))
        return false;
    batch_settle(j);
    if (good) {
        *ms = JOURNAL_BACKOFF_MS;
        return true;
    }
    journal_tell_not_read(f->segment ? f->segment->number : 0, &err);
    return journal_back_off(j, ms);
}

void *journal_feeder_run(void *journal)
{
    struct sg_journal *j = journal;
    int64_t ms = JOURNAL_BACKOFF_MS;
    bool aside, go_on = true;
    while (go_on && work_await(j, &aside))
        go_on = aside ? journal_aside_feed(j) : batch_work(j, &ms);
    return NULL;
}

void journal_feeder_free(struct sg_journal *j)
{
    struct journal_feeder *f = &j->feeder;
    if (f->fd >= 0)
        close(f->fd);
    sg_arena_free(&f->arena);
    free(f->batch);
    free(f->places);
}
