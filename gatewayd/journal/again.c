/* Tries once more what was set aside, at each start. */
#include "journal/feeder.h"

#include "common/log.h"

#include <stdlib.h>
#include <unistd.h>

#define ASIDE_AGAIN_MS 60000

/* Those that were set aside, while they are tried. */
struct aside {
    struct journal_place *places;
    size_t kept; /* of them, at the beginning: they stay set aside */
};

static void aside_keep(struct aside *a, const struct journal_place *places, size_t count)
{
    memmove(a->places + a->kept, places, count * sizeof *places);
    a->kept += count;
}

/* Opens the segment at hand with a few tries: all that is new waits meanwhile. */
static bool aside_open(struct sg_journal *j, bool *lost_r, struct sg_error *err)
{
    int64_t ms = JOURNAL_BACKOFF_MS;
    bool open;
    for (unsigned i = 1;
         !(open = journal_segment_open(j, lost_r, err)) && !*lost_r && i < JOURNAL_TRIES; i++) {
        journal_tell_not_read(j->feeder.segment->number, err);
        if (!journal_back_off(j, &ms))
            break;
    }
    return open;
}

/* Hands the record at a place of the segment at hand on; one that is not there any more is
 * forgotten. false: the journal is closing. */
static bool place_feed(struct sg_journal *j, const struct journal_place *place)
{
    struct journal_feeder *f = &j->feeder;
    struct journal_cursor c;
    enum journal_step step;
    struct sg_error err = {0};
    journal_batch_reset(f);
    journal_cursor_init(&c, f->fd, place->number, place->offset, UINT64_MAX);
    if (!journal_cursor_next(&c, &step, &err))
        (void)journal_record_set_aside(j, place,
                                       &err); /* the disk, which may read it the next time */
    else if (step == JOURNAL_AT_FRAME && c.frame.offset == place->offset)
        journal_frame_take(j, &c);
    else
        journal_tell_damage(f, place->offset, 0, "set aside, and not there any more");
    journal_cursor_free(&c);
    return journal_batch_feed(j);
}

/* Tries those places of one segment. false: the journal is closing. */
static bool aside_segment_feed(struct sg_journal *j, struct aside *a,
                               const struct journal_place *places, size_t count)
{
    struct journal_feeder *f = &j->feeder;
    struct journal_segment s = {.number = places->number};
    struct sg_error err = {0};
    bool lost, go_on = true;
    f->segment = &s;
    f->offset = 0;
    if (aside_open(j, &lost, &err)) {
        for (size_t i = 0; i < count && go_on; i++) {
            f->kept = f->away;
            go_on = f->away || place_feed(j, &places[i]);
            if (f->kept)
                aside_keep(a, &places[i], 1);
        }
    } else if (lost && err.code == SG_E_MALFORMED) {
        journal_tell_damage(f, places->offset, 0, err.detail);
    } else {
        f->away = journal_is_away(&err);
        sg_log_error(SG_LOG_ERROR, "journal.set-aside", &err, "segment",
                     sg_log_num((int64_t)s.number), "records", sg_log_num((int64_t)count), NULL);
        aside_keep(a, places, count);
    }
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    f->segment = NULL;
    sg_secret_wipe(&s.key);
    return go_on;
}

/* They come once more where it cannot be noted that they are done. */
static void aside_settle(struct sg_journal *j, const struct aside *a, size_t count, bool away)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error err = {0};
    if (a->kept < count && !journal_aside_write(j->dir_fd, a->places, a->kept, &err))
        sg_log_error(SG_LOG_ERROR, "journal.set-aside", &err, NULL);
    pthread_mutex_lock(&j->lock);
    j->set_aside = a->kept;
    f->aside_done = !away;
    f->aside_ms = sg_clock_monotonic_ms() + ASIDE_AGAIN_MS;
    pthread_mutex_unlock(&j->lock);
}

/* Tries all of them, segment by segment. false: the journal is closing. */
static bool aside_try(struct sg_journal *j, struct aside *a, size_t count)
{
    struct journal_feeder *f = &j->feeder;
    bool go_on = true;
    size_t i, n;
    f->again = true;
    f->fd = -1;
    for (i = 0; i < count && go_on && !f->away; i += n) {
        for (n = 1; i + n < count && a->places[i + n].number == a->places[i].number;)
            n++;
        go_on = aside_segment_feed(j, a, a->places + i, n);
    }
    if (go_on && i < count)
        aside_keep(a, a->places + i, count - i);
    return go_on;
}

/*
 * Once at each start what was set aside may be taken by now. What cannot be read stays set aside,
 * and holds up nothing; where the database or hsmd is away it is tried again later. false: the
 * journal is closing.
 */
bool journal_aside_feed(struct sg_journal *j)
{
    struct journal_feeder *f = &j->feeder, at_hand = *f;
    struct aside a = {0};
    size_t count = 0;
    struct sg_error err = {0};
    if (!journal_aside_read(j->dir_fd, &a.places, &count, &err)) {
        sg_log_error(SG_LOG_ERROR, "journal.set-aside", &err, NULL);
        f->aside_done = true;
        return true;
    }
    bool go_on = aside_try(j, &a, count), away = f->away;
    at_hand.arena = f->arena;
    *f = at_hand;
    if (go_on)
        aside_settle(j, &a, count, away);
    free(a.places);
    return go_on;
}
