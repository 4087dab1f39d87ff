/*
 * archive.dispose: a quarter's key goes with the last data key that was wrapped to it (REQ-133):
 * retired, so that nothing is wrapped to it any more, destroyed in the HSM, recorded. Killed
 * anywhere, the next run goes on with what is retired.
 */
#include "certlife/key_work.h"
#include "certlife/kinds.h"

#include "common/log.h"
#include "schema/archive.h"

struct disposal {
    struct sg_arena *arena;
    int retired;
    struct sg_archive_retired *keys;
    size_t count;
};

static bool retire(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct disposal *d = arg;
    return sg_archive_keys_retire(tx, d->arena, &d->retired, err) &&
           sg_archive_keys_retired(tx, d->arena, &d->keys, &d->count, err);
}

static bool destroyed(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_archive_key_destroyed(tx, arg, err);
}

static bool destroy(struct sg_job *job, const struct sg_archive_retired *retired,
                    struct sg_error *err)
{
    const struct sg_certlife *life = job->ctx;
    struct sg_hsm_key key = {.id = retired->id,
                             .tenant = "",
                             .domain = "",
                             .class = SG_HSM_ARCHIVE,
                             .kind = retired->token ? SG_HSM_TOKEN : SG_HSM_WRAPPED};
    if (!sg_key_destroy(life->hsm, &key, err) ||
        !sg_job_step(job, destroyed, (void *)(uintptr_t)retired->id, err))
        return false;
    sg_log(SG_LOG_INFO, "archive.key-destroyed", "key", retired->id, NULL);
    return true;
}

bool sg_archive_dispose_job(struct sg_job *job, struct sg_error *err)
{
    struct disposal d = {.arena = job->arena};
    if (!sg_job_step(job, retire, &d, err))
        return false;
    for (size_t i = 0; i < d.count; i++)
        if (!destroy(job, &d.keys[i], err))
            return false;
    json_t *result =
        json_pack("{s:i, s:I}", "retired", d.retired, "destroyed", (json_int_t)d.count);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}
