#include "certlife/kinds.h"

#include "common/id.h"
#include "common/log.h"
#include "schema/archive.h"

#include <time.h>

struct insert {
    struct sg_archive_key_row row;
    const char *kind;
    struct sg_bytes blob;
    bool inserted;
};

static bool insert(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct insert *in = arg;
    return sg_archive_key_insert(tx, &in->row, in->kind, in->blob, &in->inserted, err);
}

/* The key's id follows from the job's, so that a second run finds the first one's key. */
static bool key_id(const struct sg_job *job, struct sg_id *id_r, struct sg_error *err)
{
    uint8_t bits[SG_ID_RANDOM];
    if (!sg_id_decode(sg_bytes_str(job->row->id), "job", bits))
        return sg_fail(err, SG_E_INVALID, "the job's id is none");
    *id_r = sg_id_from("ark", bits);
    return true;
}

static const char *quarter_of(struct sg_arena *arena, sg_time now)
{
    time_t seconds = sg_time_seconds(now);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return sg_arena_printf(arena, "%04dq%d", (tm.tm_year + 1900) % 10000, tm.tm_mon / 3 + 1);
}

bool sg_archive_key_job(struct sg_job *job, struct sg_error *err)
{
    const struct sg_certlife *life = job->ctx;
    const char *quarter = quarter_of(job->arena, sg_clock_now());
    bool exists;
    struct sg_id id;
    if (!key_id(job, &id, err) || !sg_archive_key_exists(job->db, quarter, &exists, err))
        return false;
    json_t *result = json_pack("{s:s}", "quarter", quarter);
    SG_AUTO_BUF spki;
    SG_AUTO_BUF blob;
    sg_buf_init(&spki, 8192);
    sg_buf_init(&blob, 65536);
    struct sg_hsm_key key = {.id = id.text,
                             .tenant = "",
                             .domain = "",
                             .class = SG_HSM_ARCHIVE,
                             .kind = life->archive_kind};
    bool ok = exists || sg_hsm_generate(life->hsm, &key, life->archive_bits, &spki, &blob, err);
    struct insert in = {.row = {id.text, quarter, sg_buf_bytes(&spki)},
                        .kind = life->archive_kind == SG_HSM_TOKEN ? "token" : "wrapped",
                        .blob = sg_buf_bytes(&blob)};
    ok = ok && sg_job_commit(job, exists ? NULL : insert, &in, &result, err);
    /* Another tenantd was quicker: ours must not stay behind on the token. */
    struct sg_error ignored = {0};
    if (ok && !exists && !in.inserted && key.kind == SG_HSM_TOKEN &&
        !sg_hsm_destroy(life->hsm, &key, &ignored))
        sg_log_error(SG_LOG_WARNING, "archive.key-left", &ignored, "key", id.text, NULL);
    json_decref(result);
    return ok;
}
