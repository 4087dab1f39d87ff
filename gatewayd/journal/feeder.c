/*
 * The feeder: reads committed frames, opens them and hands them on in batches. The position is
 * written after a batch was taken, so that a crash repeats at most that batch.
 */
#include "journal/journal_internal.h"

#include "common/log.h"
#include "spool/aead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_BYTES    ((size_t)8 << 20)
#define BACKOFF_MS     100
#define BACKOFF_MAX_MS 5000
#define TRIES          3 /* at the least, of what cannot be read */
#define ASIDE_AGAIN_MS 60000
#define BESIDE         8 /* records at most, of which none may be taken */

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
    return f->tries >= TRIES && f->stuck.number == f->segment->number &&
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

/* Opens the file and, where it is not known, the data key. *lost_r: the file is not there, or its
 * head is no head, or cannot be read for good. */
static bool segment_open(struct sg_journal *j, bool *lost_r, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    char name[SG_JOURNAL_FILE], binding[SG_JOURNAL_BINDING];
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
    if (f->segment->key.len)
        return true;
    journal_binding(f->head.node, f->head.number, binding);
    return j->options.keys.open(j->options.keys.ctx, binding,
                                sg_bytes_of(f->head.wrapped, f->head.wrapped_len), &f->segment->key,
                                err);
}

static void tell_damage(struct journal_feeder *f, uint64_t offset, uint64_t length,
                        const char *what)
{
    f->told = true;
    journal_fault_damaged(f->segment->number, offset, length, what);
}

/* That hsmd is away and gives no key is no fault of the journal. */
static void tell_not_read(const struct sg_error *err)
{
    if (err->code == SG_E_IO || err->code == SG_E_JOURNAL)
        journal_fault(JOURNAL_NOT_READ);
    sg_log_error(SG_LOG_WARNING, "journal.not-read", err, NULL);
}

/* Opens the frame that the cursor has read and puts it into the batch. */
static void frame_take(struct sg_journal *j, const struct journal_cursor *c)
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
        tell_damage(f, c->frame.offset, c->frame.length, "seal");
        return;
    }
    memset(r, 0, sizeof *r);
    r->type = c->frame.type;
    r->at = c->frame.at;
    memcpy(r->id, c->frame.id, sizeof r->id);
    r->payload = sg_arena_copy(f->arena, sg_buf_bytes(&payload));
    if (c->frame.original)
        journal_ref(f->head.node, c->frame.number, c->frame.offset, r->archive_ref);
    f->places[f->count] = (struct journal_place){c->frame.number, c->frame.offset};
    f->count++;
    f->bytes += payload.len;
}

static bool batch_full(const struct sg_journal *j)
{
    return j->feeder.count >= j->options.feed_batch || j->feeder.bytes >= BATCH_BYTES;
}

/* Reads frames of the segment at hand up to end, or until the batch is full. */
static bool frames_read(struct sg_journal *j, uint64_t end, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct journal_cursor c;
    bool ok = true;
    journal_cursor_init(&c, f->fd, f->segment->number, f->offset, end);
    c.whole = f->segment->whole;
    while (!batch_full(j) && f->offset < end) {
        enum journal_step step;
        c.pass_unreadable = stuck_for_good(j);
        ok = journal_cursor_next(&c, &step, err);
        if (!ok)
            break;
        if (step == JOURNAL_AT_DAMAGE)
            tell_damage(f, c.damage_offset, c.damage_length,
                        c.unreadable ? "unreadable" : "framing");
        else if (step == JOURNAL_AT_FRAME)
            frame_take(j, &c);
        f->passed |= step == JOURNAL_AT_DAMAGE && c.unreadable;
        f->offset = step == JOURNAL_AT_END ? end : c.offset; /* behind room that was made, too */
    }
    journal_cursor_free(&c);
    if (!ok && journal_is_unreadable(err))
        stuck_note(j);
    return ok;
}

/* All that is committed of the segment at hand was read. Records that damage hid since they were
 * counted are settled with the rest. */
static void segment_end(struct sg_journal *j, const struct view *view)
{
    struct journal_feeder *f = &j->feeder;
    uint64_t hidden = view->records > f->seen ? view->records - f->seen : 0;
    if (hidden && !f->told && !f->segment->unsure)
        tell_damage(f, view->end, 0, "records before it are gone"); /* zeros look like room */
    f->settled += hidden;
    f->seen = view->records;
    f->told = false;
}

/* Fills the batch with what is committed. After false the batch may hold a part, which counts. */
static bool batch_gather(struct sg_journal *j, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct view view = {0};
    while (!batch_full(j) && segment_view(j, &view)) {
        if (f->offset >= view.end) {
            segment_end(j, &view);
            if (!view.over)
                return true;
            segment_drop(j);
            continue;
        }
        f->records = view.records;
        bool lost;
        if (segment_open(j, &lost, err)) {
            if (!frames_read(j, view.end, err))
                return false;
        } else if (lost) {
            tell_damage(f, f->offset, view.end - f->offset, err->detail);
            f->offset = view.end;
        } else {
            return false;
        }
    }
    return true;
}

/* Sleeps for the back-off, which grows. false: the journal is closing. */
static bool back_off(struct sg_journal *j, int64_t *ms)
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

/* No time makes such a record good; and all that are behind it would wait for it. */
static bool is_for_good(const struct sg_error *err)
{
    return err->code == SG_E_INVALID || err->code == SG_E_CONFLICT || err->code == SG_E_MALFORMED;
}

/* false: it could not be noted down, so it is not passed over. */
static bool set_aside(struct sg_journal *j, const struct journal_place *place,
                      const struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error why = {0};
    if (!f->again && !journal_aside_add(j->dir_fd, place, &why)) {
        sg_log_error(SG_LOG_ERROR, "journal.not-set-aside", &why, NULL);
        return false;
    }
    f->kept = true;
    sg_log_error(SG_LOG_ERROR, "journal.set-aside", err, "segment",
                 sg_log_num((int64_t)place->number), "offset", sg_log_num((int64_t)place->offset),
                 NULL);
    if (f->again)
        return true; /* counted when all have been tried */
    pthread_mutex_lock(&j->lock);
    j->set_aside++;
    pthread_mutex_unlock(&j->lock);
    return true;
}

/* What others need is away as well: what is behind it would not fare better. */
static bool is_away(const struct sg_error *err)
{
    return err->code == SG_E_DB_UNAVAILABLE || err->code == SG_E_HSM_UNAVAILABLE ||
           err->code == SG_E_BUSY;
}

/* A query that fails: for all records (a right is missing), or for one of them. */
static bool may_be_of_one(const struct sg_error *err)
{
    return err->code == SG_E_DB_QUERY || err->code == SG_E_FORBIDDEN;
}

/* How far the batch is fed. */
struct progress {
    size_t at, n, most; /* the first that is not taken; tried at once; at most */
    size_t taken;       /* behind the last that was */
    int64_t ms;         /* the back-off */
    unsigned tries;     /* of what was set aside */
    unsigned refused;   /* how often a query failed … */
    int64_t refused_ms; /* … first at that time (monotonic) */
};

static void progress_go(const struct journal_feeder *f, struct progress *p, size_t records)
{
    p->at += records;
    p->n = f->count - p->at < p->most ? f->count - p->at : p->most;
    p->ms = BACKOFF_MS;
    p->tries = 0;
}

static bool feed(struct sg_journal *j, size_t at, size_t count, struct sg_error *err)
{
    return j->options.feed(j->options.feed_ctx, j->feeder.batch + at, count, err);
}

/* It is not the hour of a migration, or somebody at work on the database. */
static bool is_refused_for_long(const struct sg_journal *j, struct progress *p,
                                const struct sg_error *err)
{
    int64_t now = sg_clock_monotonic_ms();
    if (j->feeder.again || !may_be_of_one(err))
        return false;
    if (p->refused++ == 0)
        p->refused_ms = now;
    return p->refused >= TRIES && now - p->refused_ms >= j->options.refused_ms;
}

/*
 * Is one beside it taken at this moment: one of those behind it, or the last that was taken, which
 * is handed on again? *refused_r: so many are not, from it on; *behind_r: and the next one is.
 */
static bool is_beside_taken(struct sg_journal *j, const struct progress *p, size_t *refused_r,
                            bool *behind_r)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error err = {0};
    (void)!batch_gather(j, &err); /* what has come since */
    *behind_r = true;
    for (size_t k = 1; k <= BESIDE && p->at + k < f->count; k++) {
        *refused_r = k;
        sg_error_reset(&err);
        if (feed(j, p->at + k, 1, &err))
            return true;
        if (!may_be_of_one(&err) && !is_for_good(&err))
            return false;
    }
    *refused_r = 1;
    *behind_r = false;
    return p->taken > 0 && feed(j, p->taken - 1, 1, &err);
}

/* One that is refused is set aside, with those that are refused as well up to one that is taken.
 * false: none is, and all wait. */
static bool refused_set_aside(struct sg_journal *j, struct progress *p, const struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    size_t refused;
    bool behind;
    if (!is_beside_taken(j, p, &refused, &behind))
        return false;
    for (; refused > 0; refused--, p->at++)
        if (!set_aside(j, &f->places[p->at], err))
            return false;
    p->taken = behind ? p->at + 1 : p->taken;
    progress_go(f, p, behind);
    return true;
}

/* What is tried of the batch next, when this was not taken: less of it, or the same later. false:
 * the journal is closing. */
static bool feed_later(struct sg_journal *j, struct progress *p, const struct sg_error *err)
{
    sg_log_error(SG_LOG_WARNING, "journal.not-fed", err, "records",
                 sg_log_num((int64_t)(j->feeder.count - p->at)), NULL);
    if (is_refused_for_long(j, p, err)) {
        if (p->n == 1 && refused_set_aside(j, p, err))
            return true;
        if (p->n > 1) {
            p->n /= 2;
            return true;
        }
    } else if (err->code == SG_E_TIMEOUT && p->n > 1) {
        p->most = p->n /= 2;
    }
    return back_off(j, &p->ms);
}

/* Hands the batch on until it is taken, but for what never is: that is found by halves. */
static bool batch_feed(struct sg_journal *j)
{
    struct journal_feeder *f = &j->feeder;
    struct progress p = {.n = f->count, .most = SIZE_MAX, .ms = BACKOFF_MS};
    while (p.at < f->count) {
        struct sg_error err = {0};
        if (feed(j, p.at, p.n, &err)) {
            p.taken = p.at + p.n;
            progress_go(f, &p, p.n);
        } else if (is_for_good(&err) && p.n > 1) {
            p.n /= 2;
        } else if (is_for_good(&err) && set_aside(j, &f->places[p.at], &err)) {
            progress_go(f, &p, 1);
        } else if (f->again && ++p.tries == TRIES) { /* the others wait */
            f->away = is_away(&err);
            return set_aside(j, &f->places[p.at], &err);
        } else if (!feed_later(j, &p, &err)) {
            return false;
        }
    }
    return true;
}

static void batch_reset(struct journal_feeder *f)
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
    int64_t ms = BACKOFF_MS;
    bool open;
    for (unsigned i = 1; !(open = segment_open(j, lost_r, err)) && !*lost_r && i < TRIES; i++) {
        tell_not_read(err);
        if (!back_off(j, &ms))
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
    batch_reset(f);
    journal_cursor_init(&c, f->fd, place->number, place->offset, UINT64_MAX);
    if (!journal_cursor_next(&c, &step, &err))
        (void)set_aside(j, place, &err); /* the disk, which may read it the next time */
    else if (step == JOURNAL_AT_FRAME && c.frame.offset == place->offset)
        frame_take(j, &c);
    else
        tell_damage(f, place->offset, 0, "set aside, and not there any more");
    journal_cursor_free(&c);
    return batch_feed(j);
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
        tell_damage(f, places->offset, 0, err.detail);
    } else {
        f->away = is_away(&err);
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
static bool aside_feed(struct sg_journal *j)
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

/* Reads a batch, hands it on, and waits where something of it could not be read. false: the
 * journal is closing. */
static bool batch_work(struct sg_journal *j, int64_t *ms)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error err = {0};
    struct journal_place before = f->stuck;
    batch_reset(f);
    bool good = batch_gather(j, &err);
    if (before.number != f->stuck.number || before.offset != f->stuck.offset)
        *ms = BACKOFF_MS; /* another place than the one that was waited for */
    if (!batch_feed(j))
        return false;
    batch_settle(j);
    if (good) {
        *ms = BACKOFF_MS;
        return true;
    }
    tell_not_read(&err);
    return back_off(j, ms);
}

void *journal_feeder_run(void *journal)
{
    struct sg_journal *j = journal;
    int64_t ms = BACKOFF_MS;
    bool aside, go_on = true;
    while (go_on && work_await(j, &aside))
        go_on = aside ? aside_feed(j) : batch_work(j, &ms);
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
