#include "jobs/worker.h"

#include "common/id.h"
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AWAY_MS 500 /* until the database is asked again */

struct sg_workers {
    struct sg_workers_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t wakes; /* how often there was news */
    bool stopping;
    int started;
    pthread_t threads[];
};

struct commit {
    struct sg_job *job;
    sg_db_fn fn;
    void *arg;
    json_t *const *result;
};

static struct sg_db_context context(const struct sg_job *job)
{
    return (struct sg_db_context){
        .tenant = job->row->tenant_id, .actor = "tenantd", .request_id = job->row->id};
}

static bool commit(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct commit *c = arg;
    const struct sg_job_row *row = c->job->row;
    if (!sg_job_hold(tx, row->id, c->job->worker, row->attempts, err) ||
        (c->fn && !c->fn(tx, c->arg, err)))
        return false;
    char *text = json_dumps(*c->result, JSON_COMPACT);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "a result that is no JSON");
    bool ok = sg_job_done(tx, row->id, text, err);
    free(text);
    return ok;
}

bool sg_job_commit(struct sg_job *job, sg_db_fn fn, void *arg, json_t *const *result,
                   struct sg_error *err)
{
    struct commit c = {job, fn, arg, result};
    struct sg_db_context ctx = context(job);
    return sg_db_transact(job->db, &ctx, commit, &c, err);
}

bool sg_job_string(const struct sg_job *job, const char *name, const char **value_r,
                   struct sg_error *err)
{
    *value_r = json_string_value(json_object_get(job->payload, name));
    return *value_r || sg_fail(err, SG_E_INVALID, "the job has no %s", name);
}

struct failure {
    struct sg_job *job;
    const struct sg_job_kind *kind; /* NULL: unknown */
    const char *words;
    sg_time retry_at;
};

static bool fail(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct failure *f = arg;
    const struct sg_job_row *row = f->job->row;
    if (!sg_job_hold(tx, row->id, f->job->worker, row->attempts, err))
        return false;
    if (f->retry_at == 0 && f->kind && f->kind->give_up && !f->kind->give_up(f->job, tx, err))
        return false;
    return sg_job_failed(tx, row->id, f->words, f->retry_at, err);
}

static int64_t pause_ms(const struct sg_workers_options *o, int attempts)
{
    int64_t ms = o->retry_ms;
    for (int i = 1; i < attempts && ms < 100 * o->retry_ms; i++)
        ms *= 2;
    return ms < 100 * o->retry_ms ? ms : 100 * o->retry_ms;
}

/* why is what went wrong. Where even that cannot be written the lease runs out in its time. */
static void job_fail(struct sg_workers *w, struct sg_job *job, const struct sg_job_kind *kind,
                     const struct sg_error *why)
{
    const struct sg_job_row *row = job->row;
    bool again =
        sg_error_class(why->code) != SG_CLASS_PERMANENT && row->attempts < row->max_attempts;
    char words[400];
    snprintf(words, sizeof words, "%s", why->detail[0] ? why->detail : sg_error_text(why->code));
    struct failure f = {.job = job, .kind = kind, .words = words};
    if (again)
        f.retry_at = sg_clock_now() + pause_ms(&w->options, row->attempts) * 1000;
    sg_log_error(again ? SG_LOG_WARNING : SG_LOG_ERROR, again ? "job.retry" : "job.failed", why,
                 "job", row->id, "kind", row->kind, "tenant", row->tenant_id, NULL);
    struct sg_db_context ctx = context(job);
    struct sg_error err = {0};
    if (!sg_db_transact(job->db, &ctx, fail, &f, &err))
        sg_log_error(SG_LOG_WARNING, "job.not-written", &err, "job", row->id, NULL);
}

static void job_do(struct sg_workers *w, struct sg_job *job)
{
    const struct sg_job_kind *kind = NULL;
    for (size_t i = 0; !kind && i < w->options.kind_count; i++)
        if (strcmp(w->options.kinds[i].name, job->row->kind) == 0)
            kind = &w->options.kinds[i];
    struct sg_error err = {0};
    json_error_t where;
    job->payload = json_loads(job->row->payload, 0, &where);
    bool ok;
    if (job->row->attempts > job->row->max_attempts)
        ok =
            sg_fail(&err, SG_E_LIMIT, "interrupted at each of %d attempts", job->row->max_attempts);
    else if (!kind)
        ok = sg_fail(&err, SG_E_INVALID, "unknown kind of job: %.60s", job->row->kind);
    else if (!job->payload)
        ok = sg_fail(&err, SG_E_INVALID, "the payload is no JSON: %s", where.text);
    else
        ok = kind->run(job, &err);
    if (ok)
        sg_log(SG_LOG_INFO, "job.done", "job", job->row->id, "kind", job->row->kind, "tenant",
               job->row->tenant_id, NULL);
    else
        job_fail(w, job, kind, &err);
    json_decref(job->payload);
}

/* Takes and does one job. *idle_ms_r: 0 there may be more, else how long to wait for news. */
static void turn(struct sg_workers *w, const char *worker, int64_t *idle_ms_r)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_job_row row;
    struct sg_error err = {0};
    bool found;
    sg_time now = sg_clock_now(), due = 0;
    *idle_ms_r = 0;
    if (!sg_job_claim(w->options.db, arena, worker, now, w->options.lease_ms, &row, &found, &err)) {
        sg_log_error(SG_LOG_DEBUG, "job.claim", &err, NULL);
        *idle_ms_r = AWAY_MS;
        return;
    }
    if (found) {
        struct sg_job job = {.row = &row,
                             .db = w->options.db,
                             .arena = arena,
                             .worker = worker,
                             .ctx = w->options.ctx};
        job_do(w, &job);
        return;
    }
    if (!sg_job_next_due(w->options.db, &due, &err)) {
        *idle_ms_r = AWAY_MS;
        return;
    }
    *idle_ms_r = w->options.poll_ms;
    if (due != 0 && (due - now) / 1000 + 1 < w->options.poll_ms)
        *idle_ms_r = due > now ? (due - now) / 1000 + 1 : 1;
}

static void *work(void *arg)
{
    struct sg_workers *w = arg;
    struct sg_id id = sg_id_new("wrk");
    uint64_t seen = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        int64_t idle_ms;
        seen = w->wakes;
        pthread_mutex_unlock(&w->lock);
        turn(w, id.text, &idle_ms);
        pthread_mutex_lock(&w->lock);
        int64_t until = sg_clock_monotonic_ms() + idle_ms;
        struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
        while (idle_ms > 0 && !w->stopping && w->wakes == seen &&
               pthread_cond_timedwait(&w->changed, &w->lock, &at) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool sg_workers_start(const struct sg_workers_options *options, struct sg_workers **workers_r,
                      struct sg_error *err)
{
    struct sg_workers *w = calloc(1, sizeof *w + (size_t)options->threads * sizeof w->threads[0]);
    if (!w)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    w->options = *options;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    for (; w->started < options->threads; w->started++) {
        errno = pthread_create(&w->threads[w->started], NULL, work, w);
        if (errno != 0) {
            sg_fail_errno(err, SG_E_IO, "cannot start a worker");
            sg_workers_stop(&w);
            return false;
        }
    }
    *workers_r = w;
    return true;
}

void sg_workers_wake(struct sg_workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->wakes++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void sg_workers_stop(struct sg_workers **workers)
{
    struct sg_workers *w = *workers;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->started; i++)
        pthread_join(w->threads[i], NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
    *workers = NULL;
}
