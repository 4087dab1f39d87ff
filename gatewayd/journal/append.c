#include "journal/journal_internal.h"

#include "common/random.h"
#include "journal/original.h"

#include <stdlib.h>

#define SEALED_IN_MEMORY ((size_t)256 << 10)

void journal_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool journal_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms)
{
    struct timespec ts = {until_ms / 1000, until_ms % 1000 * 1000000};
    return pthread_cond_timedwait(cond, lock, &ts) == 0;
}

static bool check(const struct sg_journal_record *record, const char *tenant,
                  const struct sg_spool *original, struct sg_error *err)
{
    if (record->type != SG_JOURNAL_RECEIVED && record->type != SG_JOURNAL_OUTCOME)
        return sg_fail(err, SG_E_INTERNAL, "no such type of journal record");
    if (record->payload.len > SG_JOURNAL_RECORD_MAX)
        return sg_fail(err, SG_E_LIMIT, "a journal record of %zu bytes", record->payload.len);
    if (original && (!tenant || record->type != SG_JOURNAL_RECEIVED))
        return sg_fail(err, SG_E_INTERNAL, "an original belongs to a tenant and to its receipt");
    return true;
}

static bool enter(struct sg_journal *j, struct sg_error *err)
{
    pthread_mutex_lock(&j->lock);
    bool open = !j->stopping;
    j->appenders += open;
    pthread_mutex_unlock(&j->lock);
    return open || sg_fail(err, SG_E_SHUTDOWN, "the journal is closing");
}

static void leave(struct sg_journal *j)
{
    pthread_mutex_lock(&j->lock);
    if (--j->appenders == 0)
        pthread_cond_broadcast(&j->idle);
    pthread_mutex_unlock(&j->lock);
}

/* Compresses and seals the original, outside of every lock: in memory, or beside the segments. */
static bool original_prepare(struct sg_journal *j, struct journal_append *a, const char *tenant,
                             const struct sg_spool *original, struct sg_spool *pieces,
                             struct sg_error *err)
{
    SG_AUTO_SECRET key = {0};
    int64_t day = a->record->at / SG_DAY - (a->record->at % SG_DAY < 0);
    if (!j->options.keys.archive(j->options.keys.ctx, tenant, day, a->key_id, &key, err))
        return false;
    a->key_id[sizeof a->key_id - 1] = 0;
    struct sg_sink sink = sg_spool_sink(pieces);
    a->original = pieces;
    if (journal_original_seal(original, &key, a->record->id, &sink, err))
        return true;
    if (err->code == SG_E_IO || err->code == SG_E_LIMIT)
        err->code = SG_E_JOURNAL; /* the disk, whichever file it was */
    return false;
}

/* Called under lock. */
static void queue_add(struct sg_journal *j, struct journal_append *a)
{
    *j->queue_end = a;
    j->queue_end = &a->next;
}

static void queue_drop(struct sg_journal *j, struct journal_append *a)
{
    struct journal_append **at = &j->queue;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    if (!a->next)
        j->queue_end = at;
}

/*
 * Commits all that is queued, itself among it, and hands the lead on to one who waits; what nobody
 * waits for yet goes with whoever leads next. Called and left under lock.
 */
static void lead(struct sg_journal *j)
{
    struct journal_append *list = j->queue;
    j->queue = NULL;
    j->queue_end = &j->queue;
    for (struct journal_append *a = list; a; a = a->next)
        a->taken = true;
    pthread_mutex_unlock(&j->lock);
    journal_writer_commit(j, list);
    pthread_mutex_lock(&j->lock);
    struct journal_append *next = j->queue;
    while (next && !next->waits)
        next = next->next;
    j->leading = next != NULL;
    if (!next)
        return;
    next->lead = true;
    pthread_cond_t *wake = journal_wake_of(j, next);
    pthread_mutex_unlock(&j->lock); /* who is woken under it would wait for it at once */
    pthread_cond_broadcast(wake);
    pthread_mutex_lock(&j->lock);
}

/* Waits until it is on disk, or leads and brings it there. */
static bool commit(struct sg_journal *j, struct journal_append *a, int64_t until_ms,
                   struct sg_error *err)
{
    bool late = false;
    struct sg_error why = {0};
    pthread_mutex_lock(&j->lock);
    a->waits = true;
    a->lead = !a->done && !a->taken && !j->leading;
    j->leading = j->leading || a->lead;
    while (!a->done && !a->lead && !late) {
        pthread_cond_t *wake = journal_wake_of(j, a);
        if (a->taken) /* it is being written: only the outcome tells */
            pthread_cond_wait(wake, &j->lock);
        else
            late = !journal_cond_wait(wake, &j->lock, until_ms) && !a->taken && !a->lead;
    }
    if (late)
        queue_drop(j, a);
    else if (!a->done)
        lead(j);
    bool ok = !late && a->ok;
    if (late)
        sg_fail(&why, SG_E_TIMEOUT, "the journal was busy for too long");
    else if (!ok)
        why = a->err;
    journal_health_note(j, ok ? NULL : &why);
    j->refuses = !ok;
    pthread_mutex_unlock(&j->lock);
    if (!ok && err)
        *err = why;
    return ok;
}

static void append_free(struct sg_journal *j, struct journal_append **append)
{
    sg_spool_free(&(*append)->pieces);
    free(*append);
    *append = NULL;
    leave(j);
}

bool sg_journal_begin(struct sg_journal *j, struct sg_journal_record *record, const char *tenant,
                      const struct sg_spool *original, struct journal_append **append_r,
                      struct sg_error *err)
{
    record->archive_ref[0] = 0;
    if (!check(record, tenant, original, err))
        return false;
    sg_random(record->id, sizeof record->id);
    struct journal_append *a = calloc(1, sizeof *a);
    if (!a)
        return sg_fail(err, SG_E_NO_MEMORY, "no memory for a journal record");
    if (!enter(j, err)) {
        free(a);
        return false;
    }
    const struct sg_spool_limits limits = {SEALED_IN_MEMORY, JOURNAL_FRAME_MAX / 2, j->dir};
    a->record = record;
    a->pieces = original ? sg_spool_new(&limits) : NULL;
    struct sg_error why = {0};
    bool prepared = !original || original_prepare(j, a, tenant, original, a->pieces, &why);
    pthread_mutex_lock(&j->lock);
    if (!prepared) {
        journal_health_note(j, &why);
        pthread_mutex_unlock(&j->lock);
        append_free(j, &a);
        if (err)
            *err = why;
        return false;
    }
    a->slot = j->next_slot++ % JOURNAL_WAKES;
    queue_add(j, a);
    pthread_mutex_unlock(&j->lock);
    *append_r = a;
    return true;
}

bool sg_journal_finish(struct sg_journal *j, struct journal_append **append, struct sg_error *err)
{
    struct journal_append *a = *append;
    bool ok = commit(j, a, sg_clock_monotonic_ms() + j->options.append_timeout_ms, err);
    if (ok && a->original)
        journal_ref(j->node, a->number, a->offset, a->record->archive_ref);
    append_free(j, append);
    return ok;
}

bool sg_journal_append(struct sg_journal *j, struct sg_journal_record *record, const char *tenant,
                       const struct sg_spool *original, struct sg_error *err)
{
    struct journal_append *a;
    struct sg_error why = {0};
    err = err ? err : &why;
    return sg_journal_begin(j, record, tenant, original, &a, err) && sg_journal_finish(j, &a, err);
}
