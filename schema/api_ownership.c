#include "schema/api_ownership.h"

#include "schema/api_internal.h"
#include "schema/domain_state.h"
#include "schema/ownership.h"

#include "common/id.h"

#include <openssl/crypto.h>

#define DAY_S 86400

static void verification_take(struct sg_row *row, void *item)
{
    struct sg_api_verification *v = item;
    v->domain_id = sg_row_text(row);
    v->name = sg_row_text(row);
    v->state = sg_row_text(row);
    v->method = sg_row_text(row);
    v->challenge = sg_row_text(row);
    v->result = sg_row_text(row);
    v->dnssec = sg_row_text(row);
    v->last_error = sg_row_text(row);
    v->attempts = sg_row_int(row);
    v->asked_at = sg_row_time(row);
    v->deadline_at = sg_row_time(row);
    v->checked_at = sg_row_time(row);
    v->next_check_at = sg_row_time(row);
    v->missing_since = sg_row_time(row);
    v->suspend_at = sg_row_time(row);
    v->verified_at = sg_row_time(row);
}

bool sg_api_verification_find(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                              struct sg_api_verification *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_api_row(tx, arena, SG_Q_API_VERIFICATION_FIND, &p, verification_take, row_r,
                      "no such domain", err);
}

bool sg_api_verification_ask(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                             struct sg_api_verification *row_r, struct sg_error *err)
{
    const char *from;
    struct sg_id id = sg_id_new("chl"); /* 128 random bits */
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_text(&p, sg_arena_printf(arena, "sealgate-challenge=%s", id.text));
    sg_param_time(&p, sg_tx_now(tx));
    return sg_domain_change(tx, arena, domain_id, SG_DOMAIN_ASKED, &from, err) &&
           sg_tx_query_one(tx, SG_Q_API_VERIFICATION_ASK, &p, NULL, "no such domain", err) &&
           sg_api_verification_find(tx, arena, domain_id, row_r, err);
}

bool sg_api_domain_revoke(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                          struct sg_error *err)
{
    const char *from;
    return sg_domain_change(tx, arena, domain_id, SG_DOMAIN_REVOKED, &from, err) &&
           sg_ownership_close(tx, domain_id, err);
}

bool sg_api_domain_delete(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                          struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    struct sg_api_verification now;
    sg_param_text(&p, domain_id);
    if (!sg_tx_query(tx, SG_Q_API_DOMAIN_DELETE, &p, &rows, err))
        return false;
    if (rows.affected == 1)
        return true;
    return sg_api_verification_find(tx, arena, domain_id, &now, err) &&
           sg_fail(err, SG_E_CONFLICT,
                   "the domain is %s%s: only a claim without keys is deleted, others are revoked",
                   now.state, strcmp(now.state, "pending") == 0 ? " and has a key" : "");
}

/* Postmaster ----------------------------------------------------------------------------------- */

struct postmaster {
    struct sg_api_postmaster shown;
    int64_t asked_today;
    sg_time day_begin;
    struct sg_bytes hash;
};

static void postmaster_take(struct sg_row *row, void *item)
{
    struct postmaster *m = item;
    m->shown.domain_id = sg_row_text(row);
    m->shown.name = sg_row_text(row);
    m->shown.state = sg_row_text(row);
    m->shown.asked_at = sg_row_time(row);
    m->shown.sent_at = sg_row_time(row);
    m->shown.expires_at = sg_row_time(row);
    m->shown.verified_at = sg_row_time(row);
    m->shown.tries = sg_row_int(row);
    m->shown.last_error = sg_row_text(row);
    m->asked_today = sg_row_int(row);
    m->day_begin = sg_row_time(row);
    m->hash = sg_row_bytes(row);
}

static bool postmaster_find(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                            struct postmaster *m, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_api_row(tx, arena, SG_Q_API_POSTMASTER_FIND, &p, postmaster_take, m, "no such domain",
                      err);
}

bool sg_api_postmaster_find(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                            struct sg_api_postmaster *row_r, struct sg_error *err)
{
    struct postmaster m;
    bool ok = postmaster_find(tx, arena, domain_id, &m, err);
    if (ok)
        *row_r = m.shown;
    return ok;
}

/* Those who ask at the same time wait for each other. */
static bool lock(struct sg_tx *tx, const char *domain_id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_tx_query_one(tx, SG_Q_DOMAIN_STATE_LOCK, &p, NULL, "no such domain", err);
}

bool sg_api_postmaster_ask(struct sg_tx *tx, struct sg_arena *arena,
                           const struct sg_api_domain *domain, int64_t *wait_s_r,
                           struct sg_api_postmaster *row_r, struct sg_error *err)
{
    struct postmaster m;
    const char *id = domain->key.id;
    sg_time now = sg_tx_now(tx);
    if (!lock(tx, id, err) || !postmaster_find(tx, arena, id, &m, err))
        return false;
    bool same_day = m.day_begin && now < m.day_begin + DAY_S * SG_SECOND;
    sg_time next = m.shown.asked_at ? m.shown.asked_at + SG_POSTMASTER_PAUSE_S * SG_SECOND : now;
    if (same_day && m.asked_today >= SG_POSTMASTER_PER_DAY)
        next = m.day_begin + DAY_S * SG_SECOND;
    *wait_s_r = (next - now + SG_SECOND - 1) / SG_SECOND;
    if (next > now)
        return sg_fail(err, SG_E_RATE, "a code was asked for: the next one in %lld s",
                       (long long)*wait_s_r);
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, domain->tenant_id);
    sg_param_time(&p, now);
    sg_param_int(&p, same_day ? m.asked_today + 1 : 1);
    sg_param_time(&p, same_day ? m.day_begin : now);
    return sg_tx_query_one(tx, SG_Q_API_POSTMASTER_ASK, &p, NULL, "no such domain", err) &&
           sg_api_postmaster_find(tx, arena, id, row_r, err);
}

static bool tried(struct sg_tx *tx, const char *domain_id, bool right, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_bool(&p, right);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_POSTMASTER_TRIED, &p, NULL, "no such domain", err);
}

bool sg_api_postmaster_confirm(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                               const char *code, bool *right_r, struct sg_api_postmaster *row_r,
                               struct sg_error *err)
{
    struct postmaster m;
    uint8_t hash[32];
    if (!lock(tx, domain_id, err) || !postmaster_find(tx, arena, domain_id, &m, err) ||
        !sg_postmaster_hash(domain_id, code, hash, err))
        return false;
    if (m.hash.len != sizeof hash)
        return sg_fail(err, SG_E_CONFLICT, "no code is waiting to be confirmed: ask for one");
    if (m.shown.expires_at <= sg_tx_now(tx))
        return sg_fail(err, SG_E_CONFLICT, "the code has expired: ask for another");
    if (m.shown.tries >= SG_POSTMASTER_TRIES)
        return sg_fail(err, SG_E_CONFLICT, "too many wrong codes: ask for another");
    *right_r = CRYPTO_memcmp(m.hash.data, hash, sizeof hash) == 0;
    return tried(tx, domain_id, *right_r, err) &&
           sg_api_postmaster_find(tx, arena, domain_id, row_r, err);
}
