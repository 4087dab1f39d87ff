/*
 * Disposal in many small transactions, each with its record: a kill leaves what was deleted
 * recorded and the rest for the next time. Whole months first, for they cost nothing.
 */
#include "common/log.h"
#include "retention/retention.h"
#include "schema/retention.h"

struct months {
    struct sg_arena *arena;
    const char *name;
};

static bool drop_one(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct months *m = arg;
    return sg_disposal_partition(tx, m->arena, &m->name, err);
}

static bool months_drop(struct sg_job *job, int64_t *dropped, struct sg_error *err)
{
    struct months m = {.arena = job->arena};
    for (;;) {
        if (!sg_db_transact(job->db, NULL, drop_one, &m, err))
            return false;
        if (!m.name)
            return true;
        sg_log(SG_LOG_INFO, "retention.dropped", "partition", m.name, NULL);
        ++*dropped;
    }
}

struct due {
    struct sg_arena *arena;
    struct sg_disposal_due *rows;
    size_t count;
};

static bool due_find(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct due *d = arg;
    return sg_disposal_preview(tx, d->arena, NULL, 1, &d->rows, &d->count, err);
}

struct batch {
    const struct sg_disposal_due *due;
    int most;
    int64_t deleted;
};

static bool batch_delete(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct batch *b = arg;
    return sg_disposal_rows(tx, b->due->relation, b->due->tenant_id, b->most, &b->deleted, err);
}

static bool rows_delete(struct sg_job *job, int64_t *deleted, struct sg_error *err)
{
    const struct sg_retention *s = job->ctx;
    struct due d = {.arena = job->arena};
    if (!sg_db_transact(job->db, NULL, due_find, &d, err))
        return false;
    for (size_t i = 0; i < d.count; i++) {
        struct batch b = {.due = &d.rows[i], .most = (int)s->dispose_batch};
        do {
            if (!sg_db_transact(job->db, NULL, batch_delete, &b, err))
                return false;
            *deleted += b.deleted;
        } while (b.deleted > 0);
    }
    return true;
}

bool sg_retention_dispose_job(struct sg_job *job, struct sg_error *err)
{
    int64_t dropped = 0, deleted = 0;
    if (!months_drop(job, &dropped, err) || !rows_delete(job, &deleted, err))
        return false;
    json_t *result =
        json_pack("{s:I, s:I}", "partitions", (json_int_t)dropped, "rows", (json_int_t)deleted);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}

const struct sg_job_kind sg_retention_kinds[] = {
    {"usage.close", sg_usage_close_job, NULL},
    {"retention.dispose", sg_retention_dispose_job, NULL},
    {NULL, NULL, NULL},
};
