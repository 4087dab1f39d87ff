#include "schema/idempotency.h"

#include "schema/api_internal.h"

#include <stdio.h>

static bool lock_timeout_set(struct sg_tx *tx, int64_t ms, struct sg_error *err)
{
    struct sg_params p = {0};
    char text[32];
    snprintf(text, sizeof text, "%lldms", (long long)ms);
    sg_param_text(&p, text);
    return sg_tx_query(tx, SG_Q_API_LOCK_TIMEOUT_SET, &p, NULL, err);
}

static void answer_take(struct sg_row *row, void *item)
{
    struct sg_idempotency_answer *a = item;
    a->fingerprint = sg_row_bytes(row);
    a->status = sg_row_int(row);
    a->location = sg_row_text(row);
    a->body = sg_row_text(row);
    a->secret = sg_row_bytes(row);
}

static bool claim(struct sg_tx *tx, const struct sg_idempotency_key *key, int64_t ttl_ms,
                  bool *taken_r, struct sg_error *err)
{
    struct sg_params p = {0};
    SG_AUTO_ROWS rows = {0};
    sg_param_text(&p, key->caller);
    sg_param_text(&p, key->key);
    sg_param_text(&p, key->tenant_id);
    sg_param_bytes(&p, key->fingerprint);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_time(&p, sg_tx_now(tx) + ttl_ms * (SG_SECOND / 1000));
    if (!sg_tx_query(tx, SG_Q_API_IDEMPOTENCY_CLAIM, &p, &rows, err))
        return false;
    *taken_r = rows.affected == 1;
    return true;
}

bool sg_idempotency_claim(struct sg_tx *tx, struct sg_arena *arena,
                          const struct sg_idempotency_key *key, int64_t ttl_ms, int64_t wait_ms,
                          bool *taken_r, struct sg_idempotency_answer *answer_r,
                          struct sg_error *err)
{
    if (!lock_timeout_set(tx, wait_ms, err))
        return false;
    if (!claim(tx, key, ttl_ms, taken_r, err))
        return err && err->code == SG_E_BUSY
                   ? sg_fail(err, SG_E_IN_PROGRESS, "another request with this key is at work")
                   : false;
    if (!lock_timeout_set(tx, 0, err))
        return false;
    if (*taken_r)
        return true;
    struct sg_params p = {0};
    sg_param_text(&p, key->caller);
    sg_param_text(&p, key->key);
    return sg_api_row(tx, arena, SG_Q_API_IDEMPOTENCY_FIND, &p, answer_take, answer_r,
                      "the key has gone", err);
}

bool sg_idempotency_store(struct sg_tx *tx, const struct sg_idempotency_key *key,
                          const struct sg_idempotency_answer *answer, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, key->caller);
    sg_param_text(&p, key->key);
    sg_param_int(&p, answer->status);
    sg_param_text(&p, answer->location);
    sg_param_text(&p, answer->body);
    sg_param_bytes(&p, answer->secret);
    return sg_tx_query_one(tx, SG_Q_API_IDEMPOTENCY_STORE, &p, NULL, "the key has gone", err);
}

bool sg_idempotency_expire(struct sg_tx *tx, int limit, int *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    SG_AUTO_ROWS rows = {0};
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_int(&p, limit);
    if (!sg_tx_query(tx, SG_Q_IDEMPOTENCY_EXPIRE, &p, &rows, err))
        return false;
    *count_r = rows.affected;
    return true;
}

bool sg_api_path_lock(struct sg_tx *tx, const char *path, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, path);
    return sg_tx_query(tx, SG_Q_API_PATH_LOCK, &p, NULL, err);
}
