#include "schema/ownership.h"

#include "schema/db_internal.h"
#include "schema/job.h"

#include <openssl/evp.h>

static void take(struct sg_row *r, void *item)
{
    struct sg_ownership_row *row = item;
    row->domain_id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->name = sg_row_text(r);
    row->state = sg_row_text(r);
    row->challenge = sg_row_text(r);
    row->asked_at = sg_row_time(r);
    row->missing_since = sg_row_time(r);
    row->attempts = (int)sg_row_int(r);
    row->notices = (int)sg_row_int(r);
}

bool sg_ownership_find(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                       struct sg_ownership_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_db_find(db, arena, SG_Q_OWNERSHIP_FIND, &p, take, row_r, found_r, err);
}

bool sg_ownership_lock(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                       struct sg_ownership_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_tx_find(tx, arena, SG_Q_OWNERSHIP_LOCK, &p, take, row_r, found_r, err);
}

bool sg_ownership_checked(struct sg_tx *tx, const struct sg_ownership_checked *c,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, c->domain_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, c->result);
    sg_param_text(&p, c->dnssec);
    sg_param_text(&p, c->last_error);
    sg_param_time_or_null(&p, c->deadline_at);
    sg_param_time_or_null(&p, c->next_check_at);
    sg_param_time_or_null(&p, c->missing_since);
    sg_param_time_or_null(&p, c->suspend_at);
    sg_param_int(&p, c->attempts);
    sg_param_int(&p, c->notices);
    sg_param_bool(&p, c->verified);
    sg_param_bool(&p, c->give_up);
    return sg_tx_query_one(tx, SG_Q_OWNERSHIP_CHECKED, &p, NULL, "no such domain", err);
}

bool sg_ownership_rival(struct sg_tx *tx, struct sg_arena *arena, const char *name,
                        const char *not_domain_id, const char **domain_id_r,
                        const char **tenant_id_r, const char **state_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, name);
    sg_param_text(&p, not_domain_id);
    *domain_id_r = NULL;
    if (!sg_tx_query(tx, SG_Q_OWNERSHIP_RIVAL, &p, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row row = sg_row_at(&rows, 0, arena);
    *domain_id_r = sg_row_text(&row);
    *tenant_id_r = sg_row_text(&row);
    *state_r = sg_row_text(&row);
    return sg_row_end(&row, err);
}

static bool one(struct sg_tx *tx, enum sg_query query, const char *domain_id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, query, &p, NULL, err);
}

bool sg_ownership_hurry(struct sg_tx *tx, const char *domain_id, struct sg_error *err)
{
    return one(tx, SG_Q_OWNERSHIP_HURRY, domain_id, err);
}

bool sg_ownership_close(struct sg_tx *tx, const char *domain_id, struct sg_error *err)
{
    return one(tx, SG_Q_OWNERSHIP_CLOSE, domain_id, err);
}

struct due {
    sg_time now;
    int limit, count;
};

static bool job_make(struct sg_tx *tx, const char *domain_id, const char *tenant_id,
                     struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_job_new job = {.tenant_id = tenant_id,
                             .kind = "domain.check",
                             .payload_json =
                                 sg_arena_printf(arena, "{\"domain_id\": \"%s\"}", domain_id),
                             .priority = SG_JOB_NORMAL,
                             .unique_key = sg_arena_printf(arena, "domain.check:%s", domain_id)};
    return sg_job_insert(tx, &job, NULL, err);
}

static bool due(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct due *d = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, d->now);
    sg_param_int(&p, d->limit);
    if (!sg_tx_query(tx, SG_Q_OWNERSHIP_DUE, &p, &rows, err))
        return false;
    d->count = rows.count;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row row = sg_row_at(&rows, i, arena);
        const char *domain = sg_row_text(&row), *tenant = sg_row_text(&row);
        if (!sg_row_end(&row, err) || !job_make(tx, domain, tenant, err))
            return false;
    }
    return true;
}

bool sg_ownership_due(struct sg_db *db, sg_time now, int limit, int *count_r, struct sg_error *err)
{
    struct due d = {now, limit, 0};
    bool ok = sg_db_transact(db, NULL, due, &d, err);
    *count_r = d.count;
    return ok;
}

bool sg_ownership_contacts(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                           const char *domain_id, int limit, const char ***addresses_r,
                           size_t *count_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    sg_param_int(&p, limit);
    if (!sg_tx_query(tx, SG_Q_OWNERSHIP_CONTACTS, &p, &rows, err))
        return false;
    *count_r = (size_t)rows.count;
    *addresses_r = SG_ARENA_ARRAY(arena, const char *, *count_r + 1);
    for (int i = 0; i < rows.count; i++) {
        struct sg_row row = sg_row_at(&rows, i, arena);
        (*addresses_r)[i] = sg_row_text(&row);
        if (!sg_row_end(&row, err))
            return false;
    }
    return true;
}

bool sg_postmaster_sent(struct sg_tx *tx, const char *domain_id, struct sg_bytes hash,
                        sg_time expires_at, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_bytes(&p, hash);
    sg_param_time(&p, expires_at);
    return sg_tx_query_one(tx, SG_Q_POSTMASTER_SENT, &p, NULL, "no code was asked for", err);
}

bool sg_postmaster_failed(struct sg_tx *tx, const char *domain_id, const char *words,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_text(&p, words);
    return sg_tx_query(tx, SG_Q_POSTMASTER_FAILED, &p, NULL, err);
}

bool sg_postmaster_hash(const char *domain_id, const char *code, uint8_t hash[32],
                        struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *text = sg_arena_printf(arena, "%s %s", domain_id, code);
    return EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) == 1 ||
           sg_fail_openssl(err, SG_E_CRYPTO, "no SHA-256");
}
