/*
 * A segment whose key hsmd cannot open, and an operator who says that it is not to be waited for:
 * by a file NUMBER.give-up beside it. Its records are set aside, all of them; the segment stays.
 */
#include "journal/feeder.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool journal_segment_given_up(const struct sg_journal *j, const struct sg_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%016" PRIu64 ".give-up", j->feeder.segment->number);
    return err->code == SG_E_HSM_KEY && faccessat(j->dir_fd, name, F_OK, 0) == 0;
}

/* Where its records stand, which needs no key. The caller frees, whatever the answer. */
static bool places_list(struct sg_journal *j, uint64_t end, struct journal_place **places_r,
                        size_t *count_r, struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct journal_cursor c;
    enum journal_step step = JOURNAL_AT_END;
    size_t count = 0;
    bool ok;
    journal_cursor_init(&c, f->fd, f->segment->number, f->offset, end);
    c.whole = f->segment->whole;
    while ((ok = journal_cursor_next(&c, &step, err)) && step != JOURNAL_AT_END) {
        if (step != JOURNAL_AT_FRAME)
            continue;
        struct journal_place *more = realloc(*places_r, (count + 1) * sizeof *more);
        if (!more)
            abort();
        *places_r = more;
        more[count++] = (struct journal_place){c.frame.number, c.frame.offset};
    }
    journal_cursor_free(&c);
    *count_r = count;
    return ok;
}

/* As many as were to be fed are done with; all of them are missing. */
static void records_count(struct sg_journal *j, size_t count)
{
    struct journal_feeder *f = &j->feeder;
    uint64_t left = f->records > f->seen ? f->records - f->seen : 0;
    f->seen += count;
    f->settled += count < left ? count : left;
    pthread_mutex_lock(&j->lock);
    j->set_aside += count;
    pthread_mutex_unlock(&j->lock);
}

bool journal_segment_set_aside(struct sg_journal *j, uint64_t end, const struct sg_error *why,
                               struct sg_error *err)
{
    struct journal_feeder *f = &j->feeder;
    struct journal_place *places = NULL;
    size_t count = 0;
    bool ok = places_list(j, end, &places, &count, err) &&
              journal_aside_add(j->dir_fd, places, count, err);
    free(places);
    if (!ok)
        return false;
    sg_log_error(SG_LOG_ERROR, "journal.given-up", why, "segment",
                 sg_log_num((int64_t)f->segment->number), "offset", sg_log_num((int64_t)f->offset),
                 "records", sg_log_num((int64_t)count), NULL);
    records_count(j, count);
    f->offset = end;
    return true;
}
