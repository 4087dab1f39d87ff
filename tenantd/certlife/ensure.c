#include "certlife/ensure.h"

#include "certlife/kinds.h"
#include "certlife/life.h"
#include "certlife/order.h"
#include "common/id.h"
#include "schema/authority.h"
#include "schema/hsm_key.h"

#include <stdio.h>

#define ORDER_ATTEMPTS 100 /* of our own trouble: HSM, database; an authority's is not counted */

static struct sg_order_decision none(const char *because)
{
    return (struct sg_order_decision){.because = because};
}

/* Whether a key is what the authority wants, or a longer one of its kind: made so by hand. */
static bool algorithm_serves(const char *have, const char *wanted)
{
    size_t kind = strcspn(wanted, "-");
    return strncmp(have, wanted, kind + 1) == 0 && strcmp(have, wanted) >= 0;
}

struct sg_order_decision sg_order_decide(const struct sg_life_row *life, enum sg_order_wish wish,
                                         const char *algorithm, sg_time now)
{
    struct sg_order_decision d = {.because = "an order was made"};
    bool active = (strcmp(life->domain_state, "attested") == 0 ||
                   strcmp(life->domain_state, "verified") == 0) &&
                  strcmp(life->tenant_state, "active") == 0;
    if (!active)
        return none("the domain is not verified, or it or its tenant is suspended");
    if (!algorithm)
        return none("neither the domain, its tenant nor the platform has an authority");
    if (wish == SG_WISH_NEEDED && life->certificate_id && now < life->renew_at)
        return none("it has a certificate that is not yet to be renewed");
    if (wish == SG_WISH_NEEDED && now < life->again_at)
        return none("an order failed, and another is made later");
    d.new_key = wish == SG_WISH_COMPROMISE || !life->key_id ||
                !sg_life_key_usable(life->key_made, now) ||
                !algorithm_serves(life->key_algorithm, algorithm);
    d.reason = wish == SG_WISH_COMPROMISE ? "compromise"
               : wish == SG_WISH_REQUEST  ? "request"
               : !life->certificate_id    ? "initial"
               : d.new_key                ? "rekey"
                                          : "renewal";
    return d;
}

bool sg_order_job_make(struct sg_tx *tx, const char *tenant_id, const char *order_id, int priority,
                       struct sg_error *err)
{
    char payload[80], unique[80];
    snprintf(payload, sizeof payload, "{\"order_id\": \"%s\"}", order_id);
    snprintf(unique, sizeof unique, "certificate.order %s", order_id);
    struct sg_job_new job = {.tenant_id = tenant_id,
                             .kind = "certificate.order",
                             .payload_json = payload,
                             .max_attempts = ORDER_ATTEMPTS,
                             .priority = priority,
                             .unique_key = unique};
    return sg_job_insert(tx, &job, NULL, err);
}

static bool make(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                 const struct sg_life_row *life, const struct sg_authority_row *authority,
                 const struct sg_order_decision *d, const char **order_r, struct sg_error *err)
{
    struct sg_id order = sg_id_new("ord"), key = sg_id_new("key");
    struct sg_order_new row = {
        .id = order.text,
        .tenant_id = life->tenant_id,
        .domain_id = domain_id,
        .authority_id = authority->id,
        .reason = d->reason,
        .state = sg_order_state_name(SG_ORDER_KEY),
        .key_id = d->new_key ? key.text : life->key_id,
    };
    bool urgent = strcmp(d->reason, "compromise") == 0;
    /* The key's row is there before the key: what is in the HSM is always known here. */
    if (d->new_key && !sg_hsm_key_insert(tx, key.text, life->tenant_id, domain_id,
                                         authority->key_kind, authority->key_algorithm, err))
        return false;
    *order_r = sg_arena_strdup(arena, order.text);
    return sg_order_insert(tx, &row, err) &&
           sg_order_job_make(tx, life->tenant_id, order.text,
                             urgent ? SG_JOB_URGENT : SG_JOB_NORMAL, err);
}

bool sg_order_ensure(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                     enum sg_order_wish wish, const char **order_r, const char **because_r,
                     struct sg_error *err)
{
    struct sg_life_row life;
    struct sg_authority_row authority = {0};
    bool found, has_authority;
    *order_r = NULL;
    if (!sg_life_find(tx, arena, domain_id, &life, &found, err))
        return false;
    if (!found)
        return sg_fail(err, SG_E_NOT_FOUND, "there is no such domain");
    if (life.order_id) {
        *order_r = life.order_id;
        *because_r = "an order is under way";
        return sg_order_job_make(tx, life.tenant_id, life.order_id, SG_JOB_NORMAL, err);
    }
    if (!sg_authority_of_domain(tx, arena, domain_id, &authority, &has_authority, err))
        return false;
    struct sg_order_decision d =
        sg_order_decide(&life, wish, has_authority ? authority.key_algorithm : NULL, sg_tx_now(tx));
    *because_r = d.because;
    return !d.reason || make(tx, arena, domain_id, &life, &authority, &d, order_r, err);
}

struct ensure {
    struct sg_job *job;
    const char *domain_id;
    enum sg_order_wish wish;
    json_t *result;
};

static bool ensure(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct ensure *e = arg;
    const char *order, *because;
    if (!sg_order_ensure(tx, e->job->arena, e->domain_id, e->wish, &order, &because, err))
        return false;
    json_decref(e->result);
    e->result = json_pack("{s:s?, s:s}", "order_id", order, "because", because);
    return true;
}

bool sg_certificate_ensure_job(struct sg_job *job, struct sg_error *err)
{
    bool request = json_is_true(json_object_get(job->payload, "request"));
    struct ensure e = {.job = job, .wish = request ? SG_WISH_REQUEST : SG_WISH_NEEDED};
    bool ok = sg_job_string(job, "domain_id", &e.domain_id, err) &&
              sg_job_commit(job, ensure, &e, &e.result, err);
    json_decref(e.result);
    return ok;
}
