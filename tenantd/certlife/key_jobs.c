#include "certlife/csr.h"
#include "certlife/key_work.h"
#include "certlife/kinds.h"

#include "schema/hsm_key.h"

#include <stdlib.h>

static bool key_find(struct sg_job *job, struct sg_hsm_key_row *row_r, struct sg_error *err)
{
    const char *id;
    bool found;
    if (!sg_job_string(job, "key_id", &id, err) ||
        !sg_hsm_key_find(job->db, job->arena, id, row_r, &found, err))
        return false;
    return found || sg_fail(err, SG_E_NOT_FOUND, "there is no such key");
}

struct sg_hsm_key sg_key_name(const struct sg_hsm_key_row *row)
{
    return (struct sg_hsm_key){.id = row->id,
                               .tenant = row->tenant_id,
                               .domain = row->domain_id,
                               .class = SG_HSM_DCA,
                               .kind =
                                   strcmp(row->kind, "token") == 0 ? SG_HSM_TOKEN : SG_HSM_WRAPPED,
                               .blob = row->blob};
}

bool sg_key_generate(struct sg_hsm *hsm, const struct sg_hsm_key_row *row, struct sg_buf *spki_r,
                     struct sg_buf *blob_r, struct sg_error *err)
{
    struct sg_hsm_key key = sg_key_name(row);
    /* "rsa-2048", "ec-p256" */
    int bits = (int)strtol(row->algorithm + strcspn(row->algorithm, "0123456789"), NULL, 10);
    sg_buf_init(spki_r, 8192);
    sg_buf_init(blob_r, 65536);
    return sg_hsm_generate(hsm, &key, bits, spki_r, blob_r, err);
}

bool sg_key_request(struct sg_hsm *hsm, const struct sg_hsm_key_row *row, struct sg_buf *csr_r,
                    struct sg_error *err)
{
    SG_AUTO_BUF info;
    sg_buf_init(&info, 65536);
    sg_buf_init(csr_r, 65536);
    struct sg_hsm_key key = sg_key_name(row);
    return sg_csr_info(row->tenant_name, row->domain_name, row->spki, &info, err) &&
           sg_hsm_sign_csr(hsm, &key, sg_buf_bytes(&info), csr_r, err);
}

bool sg_key_destroy(struct sg_hsm *hsm, const struct sg_hsm_key *key, struct sg_error *err)
{
    struct sg_error why = {0};
    if (key->kind != SG_HSM_TOKEN || sg_hsm_destroy(hsm, key, &why) || why.code == SG_E_HSM_KEY)
        return true;
    *err = why;
    return false;
}

struct activate {
    const char *key_id;
    struct sg_bytes spki, blob;
};

static bool activate(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct activate *a = arg;
    return sg_hsm_key_activate(tx, a->key_id, a->spki, a->blob, err);
}

bool sg_key_generate_job(struct sg_job *job, struct sg_error *err)
{
    const struct sg_certlife *life = job->ctx;
    struct sg_hsm_key_row row;
    if (!key_find(job, &row, err))
        return false;
    if (strcmp(row.state, "pending") != 0)
        return sg_fail(err, SG_E_CONFLICT, "the key is %s, not pending", row.state);
    SG_AUTO_BUF spki = {0};
    SG_AUTO_BUF blob = {0};
    if (!sg_key_generate(life->hsm, &row, &spki, &blob, err))
        return false;
    struct activate a = {row.id, sg_buf_bytes(&spki), sg_buf_bytes(&blob)};
    json_t *result = json_pack("{s:s}", "key_id", row.id);
    bool ok = sg_job_commit(job, activate, &a, &result, err);
    json_decref(result);
    return ok;
}

bool sg_key_generate_give_up(struct sg_job *job, struct sg_tx *tx, struct sg_error *err)
{
    const char *id = json_string_value(json_object_get(job->payload, "key_id"));
    return !id || sg_hsm_key_fail(tx, id, err);
}

struct set_csr {
    const char *key_id;
    struct sg_bytes csr;
};

static bool set_csr(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct set_csr *s = arg;
    return sg_hsm_key_set_csr(tx, s->key_id, s->csr, err);
}

bool sg_key_csr_job(struct sg_job *job, struct sg_error *err)
{
    const struct sg_certlife *life = job->ctx;
    struct sg_hsm_key_row row;
    if (!key_find(job, &row, err))
        return false;
    /* Asked for right after the key: it comes when the key is there. */
    if (strcmp(row.state, "pending") == 0)
        return sg_fail(err, SG_E_BUSY, "the key is not generated yet");
    if (strcmp(row.state, "active") != 0)
        return sg_fail(err, SG_E_CONFLICT, "the key is %s", row.state);
    SG_AUTO_BUF csr = {0};
    if (!sg_key_request(life->hsm, &row, &csr, err))
        return false;
    struct set_csr s = {row.id, sg_buf_bytes(&csr)};
    json_t *result = json_pack("{s:s}", "key_id", row.id);
    bool ok = sg_job_commit(job, set_csr, &s, &result, err);
    json_decref(result);
    return ok;
}

static bool destroyed(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_hsm_key_destroyed(tx, arg, err);
}

bool sg_key_destroy_job(struct sg_job *job, struct sg_error *err)
{
    const struct sg_certlife *life = job->ctx;
    struct sg_hsm_key_row row;
    if (!key_find(job, &row, err))
        return false;
    bool over = strcmp(row.state, "failed") == 0 || strcmp(row.state, "retired") == 0;
    if (!over && strcmp(row.state, "destroyed") != 0)
        return sg_fail(err, SG_E_CONFLICT, "the key is %s, not failed or retired", row.state);
    struct sg_hsm_key key = sg_key_name(&row);
    if (over && !sg_key_destroy(life->hsm, &key, err))
        return false;
    json_t *result = json_pack("{s:s}", "key_id", row.id);
    bool ok = sg_job_commit(job, over ? destroyed : NULL, (void *)(uintptr_t)row.id, &result, err);
    json_decref(result);
    return ok;
}
