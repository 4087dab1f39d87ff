#include "jobs/worker.h"

#include "common/id.h"
#include "common/log.h"
#include "common/wait.h"
#include "common/watch.h"
#include "jobs/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define AWAY_MS 500 /* until the database is asked again */

/* What a thread has at work. */
struct at_work {
    char job[SG_ID_TEXT], worker[SG_ID_TEXT];
    int attempt;
    int64_t since_ms;
};

struct sg_workers {
    struct sg_workers_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t wakes; /* how often there was news */
    bool stopping;  /* no further job is begun */
    bool stopped;   /* no job is at work any more */
    int started;
    bool renewing;
    pthread_t renewer;
    struct worker {
        struct sg_workers *all;
        pthread_t thread;
        struct at_work at; /* job empty: idle */
        struct sg_watch watch;
    } workers[];
};

struct commit {
    struct sg_job *job;
    sg_db_fn fn;
    void *arg;
    json_t *const *result;
    sg_time run_at;
    const char *words;
};

static struct sg_db_context context(const struct sg_job *job)
{
    return (struct sg_db_context){
        .tenant = job->row->tenant_id, .actor = "tenantd", .request_id = job->row->id};
}

/* The claim is ours still, and what is to be done under it. */
static bool held(struct sg_tx *tx, struct commit *c, struct sg_error *err)
{
    const struct sg_job_row *row = c->job->row;
    bool cancel;
    return sg_job_hold(tx, row->id, c->job->worker, row->attempts, &cancel, err) &&
           (!c->fn || c->fn(tx, c->arg, err));
}

static bool commit(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct commit *c = arg;
    if (!held(tx, c, err))
        return false;
    char *text = json_dumps(*c->result, JSON_COMPACT);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "a result that is no JSON");
    bool ok = sg_job_done(tx, c->job->row->id, text, err);
    free(text);
    return ok;
}

bool sg_job_commit(struct sg_job *job, sg_db_fn fn, void *arg, json_t *const *result,
                   struct sg_error *err)
{
    struct commit c = {.job = job, .fn = fn, .arg = arg, .result = result};
    struct sg_db_context ctx = context(job);
    return sg_db_transact(job->db, &ctx, commit, &c, err);
}

static bool postpone(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct commit *c = arg;
    return held(tx, c, err) && sg_job_postpone(tx, c->job->row->id, c->run_at, c->words, err);
}

bool sg_job_later(struct sg_job *job, sg_db_fn fn, void *arg, sg_time run_at, const char *words,
                  struct sg_error *err)
{
    struct commit c = {.job = job, .fn = fn, .arg = arg, .run_at = run_at, .words = words};
    struct sg_db_context ctx = context(job);
    job->postponed = sg_db_transact(job->db, &ctx, postpone, &c, err);
    return job->postponed;
}

static bool step(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return held(tx, arg, err);
}

bool sg_job_step(struct sg_job *job, sg_db_fn fn, void *arg, struct sg_error *err)
{
    struct commit c = {.job = job, .fn = fn, .arg = arg};
    struct sg_db_context ctx = context(job);
    return sg_db_transact(job->db, &ctx, step, &c, err);
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
    bool cancel;
    if (!sg_job_hold(tx, row->id, f->job->worker, row->attempts, &cancel, err))
        return false;
    if ((f->retry_at == 0 || cancel) && f->kind && f->kind->give_up &&
        !f->kind->give_up(f->job, tx, err))
        return false;
    return sg_job_failed(tx, row->id, f->words, f->retry_at, err);
}

/* Growing, and a quarter more or less, so that what failed together is not tried together. */
static int64_t pause_ms(const struct sg_workers_options *o, int attempts)
{
    int64_t ms = o->retry_ms, most = 100 * o->retry_ms;
    for (int i = 1; i < attempts && ms < most; i++)
        ms *= 2;
    ms = ms < most ? ms : most;
    uint32_t dice = 0;
    if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
        dice = (uint32_t)sg_clock_monotonic_ms();
    return ms - ms / 4 + (int64_t)(dice % (uint64_t)(ms / 2 + 1));
}

static bool again(const struct sg_job_row *row, const struct sg_error *why)
{
    return sg_error_class(why->code) != SG_CLASS_PERMANENT && row->attempts < row->max_attempts &&
           !row->cancel;
}

static enum sg_job_result result_of(const struct sg_job *job, bool ok, const struct sg_error *why)
{
    if (ok)
        return job->postponed ? SG_JOB_LATER_ON : SG_JOB_DONE;
    return job->row->cancel ? SG_JOB_CANCELLED : again(job->row, why) ? SG_JOB_RETRY : SG_JOB_DEAD;
}

/* why is what went wrong. Where even that cannot be written the lease runs out in its time. */
static void job_fail(struct sg_workers *w, struct sg_job *job, const struct sg_job_kind *kind,
                     const struct sg_error *why)
{
    const struct sg_job_row *row = job->row;
    bool retry = again(row, why);
    char words[400];
    snprintf(words, sizeof words, "%s", why->detail[0] ? why->detail : sg_error_text(why->code));
    struct failure f = {.job = job, .kind = kind, .words = words};
    if (retry)
        f.retry_at = job->retry_at ? job->retry_at
                                   : sg_clock_now() + pause_ms(&w->options, row->attempts) * 1000;
    sg_log_error(retry || row->cancel ? SG_LOG_WARNING : SG_LOG_ERROR,
                 retry         ? "job.retry"
                 : row->cancel ? "job.cancelled"
                               : "job.dead",
                 why, "job", row->id, "kind", row->kind, "tenant", row->tenant_id, NULL);
    struct sg_db_context ctx = context(job);
    struct sg_error err = {0};
    if (!sg_db_transact(job->db, &ctx, fail, &f, &err))
        sg_log_error(SG_LOG_WARNING, "job.not-written", &err, "job", row->id, NULL);
}

static const struct sg_job_kind *kind_find(const struct sg_workers *w, struct sg_job *job)
{
    for (size_t i = 0; i < w->options.set_count; i++) {
        const struct sg_job_set *set = &w->options.sets[i];
        for (const struct sg_job_kind *kind = set->kinds; kind->name; kind++) {
            if (strcmp(kind->name, job->row->kind) == 0) {
                job->ctx = set->ctx;
                return kind;
            }
        }
    }
    return NULL;
}

static void job_do(struct sg_workers *w, struct sg_job *job)
{
    const struct sg_job_kind *kind = kind_find(w, job);
    const struct sg_job_row *row = job->row;
    struct sg_error err = {0};
    json_error_t where;
    int64_t began = sg_metric_now();
    sg_log(SG_LOG_DEBUG, "job.begun", "job", row->id, "kind", row->kind, "attempt",
           sg_log_num(row->attempts), NULL);
    job->payload = json_loads(row->payload, 0, &where);
    bool ok;
    if (row->cancel)
        ok = sg_fail(&err, SG_E_CONFLICT, "cancelled before it was done");
    else if (row->attempts > row->max_attempts)
        ok = sg_fail(&err, SG_E_LIMIT, "interrupted at each of %d attempts", row->max_attempts);
    else if (!kind)
        /* Perhaps a newer tenantd's, in the midst of an upgrade: that one may take it next. */
        ok = sg_fail(&err, SG_E_BUSY, "unknown kind of job: %.60s", row->kind);
    else if (!job->payload)
        ok = sg_fail(&err, SG_E_INVALID, "the payload is no JSON: %s", where.text);
    else
        ok = kind->run(job, &err);
    sg_jobs_count(row->kind, result_of(job, ok, &err), began);
    if (ok)
        sg_log(SG_LOG_INFO, job->postponed ? "job.later" : "job.done", "job", row->id, "kind",
               row->kind, "tenant", row->tenant_id, NULL);
    else
        job_fail(w, job, kind, &err);
    json_decref(job->payload);
}

static void at_work_set(struct worker *me, const struct sg_job_row *row, const char *worker)
{
    pthread_mutex_lock(&me->all->lock);
    struct at_work *at = &me->at;
    snprintf(at->job, sizeof at->job, "%s", row ? row->id : "");
    snprintf(at->worker, sizeof at->worker, "%s", worker);
    at->attempt = row ? row->attempts : 0;
    at->since_ms = sg_clock_monotonic_ms();
    pthread_mutex_unlock(&me->all->lock);
}

/* Takes and does one job. *idle_ms_r: 0 there may be more, else how long to wait for news.
 * last is whose job was done last. */
static void turn(struct worker *me, const char *worker, struct sg_id *last, int64_t *idle_ms_r)
{
    struct sg_workers *w = me->all;
    const struct sg_workers_options *o = &w->options;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_job_row row;
    struct sg_error err = {0};
    bool found;
    sg_time now = sg_clock_now();
    *idle_ms_r = 0;
    if ((o->prepare && !o->prepare(o->prepare_arg, now, &err)) ||
        !sg_job_claim(o->db, arena, worker, last->text, now, o->lease_ms, &row, &found, &err)) {
        sg_log_error(SG_LOG_DEBUG, "job.claim", &err, NULL);
        *idle_ms_r = AWAY_MS;
        return;
    }
    if (found) {
        struct sg_job job = {.row = &row, .db = o->db, .arena = arena, .worker = worker};
        snprintf(last->text, sizeof last->text, "%s", row.tenant_id ? row.tenant_id : "-");
        at_work_set(me, &row, worker);
        sg_watch_begin(&me->watch);
        job_do(w, &job);
        sg_watch_end(&me->watch);
        at_work_set(me, NULL, worker);
        return;
    }
    int64_t wait_ms;
    if (!sg_job_next_due(o->db, now, &wait_ms, &err))
        *idle_ms_r = AWAY_MS;
    else
        *idle_ms_r = wait_ms >= 0 && wait_ms + 1 < o->poll_ms ? wait_ms + 1 : o->poll_ms;
}

static void wait_until(struct sg_workers *w, int64_t until_ms, bool (*over)(struct sg_workers *w),
                       const uint64_t *seen)
{
    while (!over(w) && (!seen || w->wakes == *seen) &&
           sg_cond_wait(&w->changed, &w->lock, until_ms))
        ;
}

static bool is_stopping(struct sg_workers *w)
{
    return w->stopping;
}

static bool is_stopped(struct sg_workers *w)
{
    return w->stopped;
}

static void *work(void *arg)
{
    struct worker *me = arg;
    struct sg_workers *w = me->all;
    struct sg_id id = sg_id_new("wrk"), last = {""};
    uint64_t seen = 0;
    sg_watch_enter(&me->watch, "worker", w->options.longest_ms + w->options.lease_ms);
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        int64_t idle_ms;
        seen = w->wakes;
        pthread_mutex_unlock(&w->lock);
        turn(me, id.text, &last, &idle_ms);
        pthread_mutex_lock(&w->lock);
        if (idle_ms > 0)
            wait_until(w, sg_clock_monotonic_ms() + idle_ms, is_stopping, &seen);
    }
    pthread_mutex_unlock(&w->lock);
    sg_watch_leave(&me->watch);
    return NULL;
}

/* With the lock, which is given up meanwhile. What cannot be renewed runs out. */
static void renew(struct sg_workers *w, int index)
{
    struct at_work at = w->workers[index].at;
    struct sg_error err = {0};
    bool kept;
    if (!at.job[0] || sg_clock_monotonic_ms() - at.since_ms > w->options.longest_ms)
        return;
    pthread_mutex_unlock(&w->lock);
    if (!sg_job_renew(w->options.db, at.job, at.worker, at.attempt, w->options.lease_ms, &kept,
                      &err))
        sg_log_error(SG_LOG_WARNING, "job.renew", &err, "job", at.job, NULL);
    pthread_mutex_lock(&w->lock);
}

static void *renew_all(void *arg)
{
    struct sg_workers *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stopped) {
        wait_until(w, sg_clock_monotonic_ms() + w->options.lease_ms / 3, is_stopped, NULL);
        for (int i = 0; !w->stopped && i < w->started; i++)
            renew(w, i);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static bool threads_start(struct sg_workers *w, struct sg_error *err)
{
    errno = pthread_create(&w->renewer, NULL, renew_all, w);
    w->renewing = errno == 0;
    for (int i = 0; errno == 0 && i < w->options.threads; i++) {
        w->workers[i].all = w;
        errno = pthread_create(&w->workers[i].thread, NULL, work, &w->workers[i]);
        pthread_mutex_lock(&w->lock);
        w->started += errno == 0;
        pthread_mutex_unlock(&w->lock);
    }
    return errno == 0 || sg_fail_errno(err, SG_E_IO, "cannot start a worker");
}

bool sg_workers_start(const struct sg_workers_options *options, struct sg_workers **workers_r,
                      struct sg_error *err)
{
    struct sg_workers *w = calloc(1, sizeof *w + (size_t)options->threads * sizeof w->workers[0]);
    if (!w)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    w->options = *options;
    pthread_mutex_init(&w->lock, NULL);
    sg_cond_init(&w->changed);
    if (!threads_start(w, err)) {
        sg_workers_stop(&w);
        return false;
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

static void announce(struct sg_workers *w, bool *flag)
{
    pthread_mutex_lock(&w->lock);
    *flag = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void sg_workers_stop(struct sg_workers **workers)
{
    struct sg_workers *w = *workers;
    if (!w)
        return;
    announce(w, &w->stopping);
    for (int i = 0; i < w->started; i++)
        pthread_join(w->workers[i].thread, NULL);
    announce(w, &w->stopped); /* until then leases are renewed */
    if (w->renewing)
        pthread_join(w->renewer, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
    *workers = NULL;
}
