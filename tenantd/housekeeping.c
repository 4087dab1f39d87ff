#include "housekeeping.h"

#include "common/log.h"
#include "common/wait.h"
#include "schema/idempotency.h"
#include "schema/migrate.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define HOUR     (3600 * SG_SECOND)
#define AGAIN_MS 5000
#define BATCH    1000 /* jobs deleted in one transaction */

struct housekeeping {
    struct housekeeping_options options;
    _Atomic sg_time partitions_hour; /* of the last partitions_ensure */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, woken;
    pthread_t thread;
};

bool housekeeping_partitions(void *keeping, sg_time now, struct sg_error *err)
{
    struct housekeeping *k = keeping;
    sg_time hour = now / HOUR;
    if (atomic_load(&k->partitions_hour) == hour)
        return true;
    if (!sg_partitions_ensure(k->options.db, now, err))
        return false;
    atomic_store(&k->partitions_hour, hour);
    return true;
}

/* How long to wait for the next time. */
static int64_t keep(struct housekeeping *k)
{
    const struct housekeeping_options *o = &k->options;
    struct sg_error err = {0};
    sg_time now = sg_clock_now(), next = 0;
    if (!housekeeping_partitions(k, now, &err) ||
        !sg_schedules_run(o->db, o->schedules, o->schedule_count, now, &next, &err) ||
        (o->sweep && !o->sweep(o->db, now, &err))) {
        sg_log_error(SG_LOG_WARNING, "housekeeping.failed", &err, NULL);
        return AGAIN_MS < o->poll_ms ? AGAIN_MS : o->poll_ms;
    }
    int64_t wait_ms = (next - now) / 1000 + 1;
    return next && wait_ms < o->poll_ms ? wait_ms : o->poll_ms;
}

static void *run(void *arg)
{
    struct housekeeping *k = arg;
    pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        k->woken = false;
        pthread_mutex_unlock(&k->lock);
        int64_t until = keep(k);
        until += sg_clock_monotonic_ms();
        pthread_mutex_lock(&k->lock);
        while (!k->stopping && !k->woken && sg_cond_wait(&k->changed, &k->lock, until))
            ;
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static void wake(struct housekeeping *k, bool stop)
{
    pthread_mutex_lock(&k->lock);
    k->woken = true;
    k->stopping = k->stopping || stop;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

bool housekeeping_start(const struct housekeeping_options *options, struct housekeeping **keeping_r,
                        struct sg_error *err)
{
    struct housekeeping *k = calloc(1, sizeof *k);
    if (!k)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    k->options = *options;
    k->partitions_hour = -1;
    pthread_mutex_init(&k->lock, NULL);
    sg_cond_init(&k->changed);
    errno = pthread_create(&k->thread, NULL, run, k);
    if (errno != 0) {
        free(k);
        return sg_fail_errno(err, SG_E_IO, "cannot start housekeeping");
    }
    *keeping_r = k;
    return true;
}

void housekeeping_wake(struct housekeeping *k)
{
    wake(k, false);
}

void housekeeping_stop(struct housekeeping **keeping)
{
    struct housekeeping *k = *keeping;
    if (!k)
        return;
    wake(k, true);
    pthread_join(k->thread, NULL);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->changed);
    free(k);
    *keeping = NULL;
}

static bool clean(struct sg_job *job, struct sg_error *err)
{
    const struct housekeeping_clean *c = job->ctx;
    sg_time now = sg_clock_now();
    int64_t all = 0;
    int deleted = BATCH;
    while (deleted == BATCH) {
        if (!sg_job_clean(job->db, now - c->keep_ms * 1000, now - c->keep_dead_ms * 1000, BATCH,
                          &deleted, err))
            return false;
        all += deleted;
    }
    json_t *result = json_pack("{s:I}", "deleted", (json_int_t)all);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}

static bool idempotency_expire(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_idempotency_expire(tx, BATCH, arg, err);
}

static bool idempotency_clean(struct sg_job *job, struct sg_error *err)
{
    int64_t all = 0;
    int deleted = BATCH;
    while (deleted == BATCH) {
        if (!sg_db_transact(job->db, NULL, idempotency_expire, &deleted, err))
            return false;
        all += deleted;
    }
    json_t *result = json_pack("{s:I}", "deleted", (json_int_t)all);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}

const struct sg_job_kind sg_housekeeping_kinds[] = {
    {"jobs.clean", clean, NULL},
    {"idempotency.clean", idempotency_clean, NULL},
    {NULL, NULL, NULL},
};
