/*
 * One question to many directories at the same time: the answer takes as long as the quickest that
 * has one, and one that hangs or is down takes nobody with it.
 */
#include "cert/cert_internal.h"

#include <stdlib.h>

struct run {
    struct sg_gathering gathering;
    struct sg_directory_job **jobs; /* NULL: not asked, or done */
    size_t open;
    bool brought;
};

static void begin_all(struct run *run, struct sg_lookup *list, size_t count,
                      enum sg_directory_question question, const char *domain, sg_deadline deadline)
{
    for (size_t i = 0; i < count; i++) {
        run->jobs[i] = sg_directory_begin(list[i].directory, question, domain, deadline,
                                          &run->gathering, &list[i].err);
        run->open += run->jobs[i] != NULL;
    }
}

static void take_done(struct run *run, struct sg_lookup *list, size_t count, struct sg_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        bool done = false;
        if (!run->jobs[i])
            continue;
        list[i].ok = sg_directory_take(list[i].directory, run->jobs[i], arena, &list[i].values,
                                       &done, &list[i].err);
        if (!done)
            continue;
        run->jobs[i] = NULL;
        run->open--;
        run->brought |= list[i].ok && list[i].values.count > 0;
    }
}

/* Until one more is done; false: the time is up. */
static bool await(struct run *run, size_t seen, sg_deadline until)
{
    bool in_time = true;
    pthread_mutex_lock(&run->gathering.lock);
    while (run->gathering.done == seen && in_time)
        in_time = sg_cond_wait(&run->gathering.changed, &run->gathering.lock, until);
    pthread_mutex_unlock(&run->gathering.lock);
    return in_time;
}

static size_t done_count(struct run *run)
{
    pthread_mutex_lock(&run->gathering.lock);
    size_t done = run->gathering.done;
    pthread_mutex_unlock(&run->gathering.lock);
    return done;
}

void sg_lookup_all(struct sg_lookup *list, size_t count, enum sg_directory_question question,
                   const char *domain, const struct sg_cert_limits *limits, struct sg_arena *arena)
{
    struct run run = {.jobs = SG_ARENA_ARRAY(arena, struct sg_directory_job *, count + 1)};
    sg_deadline until = sg_deadline_in(limits->ldap_timeout_ms);
    bool brought = false, in_time = true;
    pthread_mutex_init(&run.gathering.lock, NULL);
    sg_cond_init(&run.gathering.changed);
    begin_all(&run, list, count, question, domain, until);
    while (run.open && in_time) {
        size_t seen = done_count(&run);
        take_done(&run, list, count, arena);
        sg_deadline others = sg_deadline_in(limits->directory_more_ms);
        if (run.brought && !brought && others < until)
            until = others;
        brought = run.brought;
        in_time = run.open == 0 || await(&run, seen, until);
    }
    take_done(&run, list, count, arena);
    for (size_t i = 0; i < count; i++)
        if (run.jobs[i])
            sg_directory_leave(list[i].directory, run.jobs[i], &list[i].err);
    pthread_cond_destroy(&run.gathering.changed);
    pthread_mutex_destroy(&run.gathering.lock);
}
