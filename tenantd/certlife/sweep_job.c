/* certificate.sweep: whatever should go on and has no job; keys whose time is over. */
#include "certlife/ensure.h"
#include "certlife/kinds.h"
#include "certlife/life.h"
#include "certlife/publication.h"
#include "certlife/raise.h"
#include "schema/api_certlife.h"
#include "schema/hsm_key.h"
#include "schema/revocation.h"

#include <stdio.h>

#define AT_ONCE 200

struct sweep {
    struct sg_job *job;
    const struct sg_certlife *life;
    json_t *result;
};

typedef bool (*list_fn)(struct sweep *s, const char *after, struct sg_pair **pairs_r,
                        size_t *count_r, struct sg_error *err);
typedef bool (*make_fn)(struct sg_tx *tx, const char *tenant_id, const char *id,
                        struct sg_error *err);

static bool job_make(struct sg_tx *tx, const char *tenant_id, const char *kind, const char *field,
                     const char *id, struct sg_error *err)
{
    char payload[80], unique[100];
    snprintf(payload, sizeof payload, "{\"%s\": \"%s\"}", field, id);
    snprintf(unique, sizeof unique, "%s %s", kind, id);
    struct sg_job_new job = {.tenant_id = tenant_id,
                             .kind = kind,
                             .payload_json = payload,
                             .max_attempts = 100,
                             .priority = SG_JOB_NORMAL,
                             .unique_key = unique};
    return sg_job_insert(tx, &job, NULL, err);
}

static bool due(struct sweep *s, const char *after, struct sg_pair **pairs_r, size_t *count_r,
                struct sg_error *err)
{
    return sg_life_due(s->job->db, s->job->arena, sg_clock_now(), after, AT_ONCE, pairs_r, count_r,
                       err);
}
static bool due_make(struct sg_tx *tx, const char *tenant_id, const char *id, struct sg_error *err)
{
    return sg_certificate_ensure(tx, tenant_id, id, 0, err);
}

static bool orders(struct sweep *s, const char *after, struct sg_pair **pairs_r, size_t *count_r,
                   struct sg_error *err)
{
    return sg_order_open_list(s->job->db, s->job->arena, after, AT_ONCE, pairs_r, count_r, err);
}
static bool order_make(struct sg_tx *tx, const char *tenant_id, const char *id,
                       struct sg_error *err)
{
    return sg_order_job_make(tx, tenant_id, id, SG_JOB_NORMAL, err);
}

static bool publications(struct sweep *s, const char *after, struct sg_pair **pairs_r,
                         size_t *count_r, struct sg_error *err)
{
    return sg_publication_open_list(s->job->db, s->job->arena, sg_clock_now(), after, AT_ONCE,
                                    pairs_r, count_r, err);
}

static bool revocations(struct sweep *s, const char *after, struct sg_pair **pairs_r,
                        size_t *count_r, struct sg_error *err)
{
    return sg_revocation_open_list(s->job->db, s->job->arena, after, AT_ONCE, pairs_r, count_r,
                                   err);
}
static bool revocation_make(struct sg_tx *tx, const char *tenant_id, const char *id,
                            struct sg_error *err)
{
    return job_make(tx, tenant_id, "certificate.revoke", "revocation_id", id, err);
}

static bool compromises(struct sweep *s, const char *after, struct sg_pair **pairs_r,
                        size_t *count_r, struct sg_error *err)
{
    return sg_compromise_open_list(s->job->db, s->job->arena, after, AT_ONCE, pairs_r, count_r,
                                   err);
}
static bool compromise_make(struct sg_tx *tx, const char *tenant_id, const char *id,
                            struct sg_error *err)
{
    return job_make(tx, tenant_id, "certificate.compromise", "compromise_id", id, err);
}

static bool keys(struct sweep *s, const char *after, struct sg_pair **pairs_r, size_t *count_r,
                 struct sg_error *err)
{
    sg_time before = s->life->destroy ? sg_clock_now() - s->life->destroy_after : 0;
    return sg_hsm_key_destroyable(s->job->db, s->job->arena, before, after, AT_ONCE, pairs_r,
                                  count_r, err);
}
static bool key_make(struct sg_tx *tx, const char *tenant_id, const char *id, struct sg_error *err)
{
    return job_make(tx, tenant_id, "key.destroy", "key_id", id, err);
}

/* The domain was given up, or its tenant left. */
static bool gone(struct sweep *s, const char *after, struct sg_pair **pairs_r, size_t *count_r,
                 struct sg_error *err)
{
    return sg_certificate_gone_list(s->job->db, s->job->arena, sg_clock_now(), after, AT_ONCE,
                                    pairs_r, count_r, err);
}
static bool gone_revoke(struct sg_tx *tx, const char *tenant_id, const char *id,
                        struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    return sg_revocation_begin(tx, arena, tenant_id, id, "cessationOfOperation", err);
}

/* It should have been renewed long before: somebody must look why it was not. */
static bool expiring(struct sweep *s, const char *after, struct sg_pair **pairs_r, size_t *count_r,
                     struct sg_error *err)
{
    return sg_life_expiring(s->job->db, s->job->arena, sg_clock_now() + SG_LIFE_EXPIRING, after,
                            AT_ONCE, pairs_r, count_r, err);
}
static bool expiring_raise(struct sg_tx *tx, const char *tenant_id, const char *id,
                           struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_life_row life;
    bool found;
    if (!sg_life_find(tx, arena, id, &life, &found, err))
        return false;
    struct sg_raise raise = {.kind = "certificate.expiring",
                             .severity = "critical",
                             .tenant_id = tenant_id,
                             .domain_id = id,
                             .domain = found ? life.domain : "",
                             .about = found && life.order_id ? life.order_id : "",
                             .cause = "not-renewed",
                             .words = "its certificate ends within a week and has no successor"};
    return !found || sg_raise_domain(tx, arena, &raise, err);
}

static const struct part {
    const char *name;
    list_fn list;
    make_fn make;
} parts[] = {
    {"gone", gone, gone_revoke},
    {"compromises", compromises, compromise_make},
    {"revocations", revocations, revocation_make},
    {"orders", orders, order_make},
    {"publications", publications, sg_publication_watch},
    {"domains", due, due_make},
    {"expiring", expiring, expiring_raise},
    {"keys", keys, key_make},
};

struct page {
    const struct part *part;
    const struct sg_pair *pairs;
    size_t count;
};

static bool page_make(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct page *page = arg;
    for (size_t i = 0; i < page->count; i++)
        if (!page->part->make(tx, page->pairs[i].tenant_id, page->pairs[i].id, err))
            return false;
    return true;
}

static bool part_sweep(struct sweep *s, const struct part *part, struct sg_error *err)
{
    const char *after = NULL;
    json_int_t all = 0;
    for (;;) {
        struct sg_pair *pairs = NULL;
        size_t count = 0;
        if (!part->list(s, after, &pairs, &count, err))
            return false;
        struct page page = {part, pairs, count};
        if (count > 0 && !sg_job_step(s->job, page_make, &page, err))
            return false;
        all += (json_int_t)count;
        if (count < AT_ONCE)
            break;
        after = pairs[count - 1].id;
    }
    json_object_set_new(s->result, part->name, json_integer(all));
    return true;
}

/* REQ-189 */
static bool retire(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct sweep *s = arg;
    int count = 0;
    if (!sg_hsm_key_retire(tx, s->life->grace / 1000, &count, err))
        return false;
    json_object_set_new(s->result, "keys_retired", json_integer(count));
    return true;
}

bool sg_certificate_sweep_job(struct sg_job *job, struct sg_error *err)
{
    struct sweep s = {.job = job, .life = job->ctx, .result = json_object()};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof parts / sizeof parts[0]; i++)
        ok = part_sweep(&s, &parts[i], err);
    ok = ok && sg_job_commit(job, retire, &s, &s.result, err);
    json_decref(s.result);
    return ok;
}
