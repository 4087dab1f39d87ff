#include "availability/sampler.h"

#include "availability/probe.h"
#include "common/log.h"
#include "schema/availability.h"
#include "watch/ticker.h"

#include <stdlib.h>

#define MINUTE   (60 * SG_SECOND)
#define LOOK_MS  1000 /* whether a new minute has begun: the clock may be set */
#define KEEP_MAX 1440 /* minutes that the database was away and that are written later */

struct sg_sampler {
    struct sg_db *db;
    struct sg_arena *arena;
    struct sg_probe *probes;
    size_t count;
    int64_t timeout_ms;
    sg_time minute; /* the last that was looked at */
    struct sg_ticker *ticker;
    struct sg_availability_sample *found; /* not written yet */
    size_t found_count, found_limit;
};

static void look_all(struct sg_sampler *s, sg_time minute)
{
    for (size_t i = 0; i < s->count; i++) {
        /* The oldest give way: they stay unmeasured. */
        if (s->found_count == s->found_limit)
            memmove(s->found, s->found + 1, --s->found_count * sizeof *s->found);
        struct sg_availability_sample *f = &s->found[s->found_count++];
        *f = (struct sg_availability_sample){
            .minute = minute, .component = s->probes[i].component, .node = s->probes[i].node};
        f->ok = sg_probe_look(&s->probes[i], s->timeout_ms, f->detail, sizeof f->detail);
        if (!f->ok)
            sg_log(SG_LOG_WARNING, "availability.down", "component", f->component, "node", f->node,
                   "detail", f->detail, NULL);
    }
}

static bool write_all(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct sg_sampler *s = arg;
    for (size_t i = 0; i < s->found_count; i++)
        if (!sg_availability_insert(tx, &s->found[i], err))
            return false;
    return true;
}

static int64_t tick(void *arg)
{
    struct sg_sampler *s = arg;
    struct sg_error err = {0};
    sg_time now = sg_clock_now(), minute = now - now % MINUTE;
    if (minute == s->minute)
        return LOOK_MS;
    s->minute = minute;
    look_all(s, minute);
    if (sg_db_transact(s->db, NULL, write_all, s, &err))
        s->found_count = 0;
    else
        sg_log_error(SG_LOG_WARNING, "availability.not-written", &err, NULL);
    return LOOK_MS;
}

bool sg_sampler_start(struct sg_db *db, const char *probes, int64_t timeout_ms,
                      struct sg_sampler **sampler_r, struct sg_error *err)
{
    struct sg_arena *arena = sg_arena_new();
    struct sg_sampler *s = SG_ARENA_NEW(arena, struct sg_sampler);
    *sampler_r = s;
    *s = (struct sg_sampler){.db = db, .arena = arena, .timeout_ms = timeout_ms};
    if (!sg_probes_parse(arena, probes, &s->probes, &s->count, err)) {
        sg_sampler_stop(sampler_r);
        return false;
    }
    s->found_limit = s->count * KEEP_MAX;
    s->found = SG_ARENA_ARRAY(arena, struct sg_availability_sample, s->found_limit + 1);
    if (s->count == 0 || sg_ticker_start(tick, s, &s->ticker, err))
        return true;
    sg_sampler_stop(sampler_r);
    return false;
}

void sg_sampler_stop(struct sg_sampler **sampler)
{
    struct sg_sampler *s = *sampler;
    if (!s)
        return;
    *sampler = NULL;
    sg_ticker_stop(&s->ticker);
    struct sg_arena *arena = s->arena;
    sg_arena_free(&arena);
}
