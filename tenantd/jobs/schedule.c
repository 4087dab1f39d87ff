#include "jobs/schedule.h"

#include "common/id.h"
#include "common/log.h"

#include <stdio.h>

struct due {
    const struct sg_job_schedule *schedule;
    sg_time period;
    bool made;
};

static bool make(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct due *d = arg;
    const struct sg_job_schedule *s = d->schedule;
    struct sg_id id = sg_id_new("job");
    bool taken;
    d->made = false;
    if (!sg_job_schedule_take(tx, s->kind, d->period, s->every_ms, id.text, &taken, err))
        return false;
    char key[120];
    snprintf(key, sizeof key, "schedule:%s", s->kind);
    struct sg_job_new job = {.id = id.text,
                             .kind = s->kind,
                             .max_attempts = s->max_attempts,
                             .priority = SG_JOB_NORMAL,
                             .unique_key = key};
    return !taken || sg_job_insert(tx, &job, &d->made, err);
}

bool sg_schedules_run(struct sg_db *db, const struct sg_job_schedule *schedules, size_t count,
                      sg_time now, sg_time *next_r, struct sg_error *err)
{
    *next_r = 0;
    for (size_t i = 0; i < count; i++) {
        sg_time every = schedules[i].every_ms * 1000;
        struct due due = {.schedule = &schedules[i], .period = now - now % every};
        if (!sg_db_transact(db, NULL, make, &due, err))
            return false;
        if (due.made)
            sg_log(SG_LOG_DEBUG, "job.scheduled", "kind", schedules[i].kind, NULL);
        if (*next_r == 0 || due.period + every < *next_r)
            *next_r = due.period + every;
    }
    return true;
}
