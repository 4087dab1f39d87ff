/* Hands a batch on until it is taken, and sets aside what of it never is. */
#include "journal/feeder.h"

#include "common/log.h"

#define BESIDE 8 /* records at most, of which none may be taken */

/* No time makes such a record good; and all that are behind it would wait for it. */
static bool is_for_good(const struct sg_error *err)
{
    return err->code == SG_E_INVALID || err->code == SG_E_CONFLICT || err->code == SG_E_MALFORMED;
}

/* false: it could not be noted down, so it is not passed over. */
bool journal_record_set_aside(struct sg_journal *j, const struct journal_place *place,
                              const struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error why = {0};
    if (!f->again && !journal_aside_add(j->dir_fd, place, 1, &why)) {
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
bool journal_is_away(const struct sg_error *err)
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
    int64_t ms;         /* the back-off */
    unsigned tries;     /* of what was set aside */
    unsigned refused;   /* how often a query failed … */
    int64_t refused_ms; /* … first at that time (monotonic) */
};

static void progress_go(const struct journal_feeder *f, struct progress *p, size_t records)
{
    p->at += records;
    p->n = f->count - p->at < p->most ? f->count - p->at : p->most;
    p->ms = JOURNAL_BACKOFF_MS;
    p->tries = 0;
}

static bool feed(struct sg_journal *j, size_t at, size_t count, struct sg_error *err)
{
    const struct sg_journal_record *records = j->feeder.batch + at;
    if (!j->options.feed(j->options.feed_ctx, records, count, err))
        return false;
    journal_witness_note(&j->witness, &records[count - 1]);
    return true;
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
    return p->refused >= JOURNAL_TRIES && now - p->refused_ms >= j->options.refused_ms;
}

/*
 * Is one beside it taken at this moment: one of those behind it, or one that was taken before,
 * which is handed on again? *refused_r: so many are not, from it on; *behind_r: and the next one
 * is.
 */
static bool is_beside_taken(struct sg_journal *j, const struct progress *p, size_t *refused_r,
                            bool *behind_r)
{
    struct journal_feeder *f = &j->feeder;
    struct sg_error err = {0};
    bool before = journal_witness_find(j);
    size_t most = before ? BESIDE : SIZE_MAX; /* without one all of the batch is asked */
    (void)!journal_batch_gather(j, &err);     /* what has come since */
    *behind_r = true;
    for (*refused_r = 1; *refused_r <= most && p->at + *refused_r < f->count; ++*refused_r) {
        sg_error_reset(&err);
        if (feed(j, p->at + *refused_r, 1, &err))
            return true;
        if (!may_be_of_one(&err) && !is_for_good(&err))
            return false;
    }
    *behind_r = false;
    return before && j->options.feed(j->options.feed_ctx, &j->witness.record, 1, &err);
}

/* One that is refused is set aside, with those behind it that are refused as well. false: none
 * is taken, and all wait. */
static bool refused_set_aside(struct sg_journal *j, struct progress *p, const struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    size_t refused;
    bool behind;
    if (!is_beside_taken(j, p, &refused, &behind))
        return false;
    for (; refused > 0; refused--, p->at++)
        if (!journal_record_set_aside(j, &f->places[p->at], err))
            return false;
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
    return journal_back_off(j, &p->ms);
}

/* Hands the batch on until it is taken, but for what never is: that is found by halves. */
bool journal_batch_feed(struct sg_journal *j)
{
    struct journal_feeder *f = &j->feeder;
    struct progress p = {.n = f->count, .most = SIZE_MAX, .ms = JOURNAL_BACKOFF_MS};
    while (p.at < f->count) {
        struct sg_error err = {0};
        if (feed(j, p.at, p.n, &err)) {
            progress_go(f, &p, p.n);
        } else if (is_for_good(&err) && p.n > 1) {
            p.n /= 2;
        } else if (is_for_good(&err) && journal_record_set_aside(j, &f->places[p.at], &err)) {
            progress_go(f, &p, 1);
        } else if (f->again && ++p.tries == JOURNAL_TRIES) { /* the others wait */
            f->away = journal_is_away(&err);
            return journal_record_set_aside(j, &f->places[p.at], &err);
        } else if (!feed_later(j, &p, &err)) {
            return false;
        }
    }
    return true;
}
