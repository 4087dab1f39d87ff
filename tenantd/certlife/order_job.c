/* certificate.order: an order taken as far as it goes. */
#include "certlife/install.h"
#include "certlife/key_work.h"
#include "certlife/kinds.h"
#include "certlife/order_internal.h"

#include <openssl/err.h>
#include <stdlib.h>

static bool work_load(struct sg_order_work *w, struct sg_error *err)
{
    const char *id;
    bool found;
    if (!sg_job_string(w->job, "order_id", &id, err) ||
        !sg_order_find(w->job->db, w->job->arena, id, sg_clock_now(), &w->row, &found, err))
        return false;
    if (!found)
        return sg_fail(err, SG_E_NOT_FOUND, "there is no such order");
    return sg_order_state_parse(w->row.state, &w->state, err);
}

static bool step_write(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct sg_order_step *s = arg;
    return sg_order_move(tx, s->work->job->arena, &s->move, err) &&
           (!s->fn || s->fn(tx, s->arg, err));
}

static bool step_fill(struct sg_order_step *s, enum sg_order_event event, enum sg_order_state *next,
                      struct sg_error *err)
{
    if (!sg_order_next(s->work->state, event, next, err))
        return false;
    s->move.id = s->work->row.id;
    s->move.from = sg_order_state_name(s->work->state);
    s->move.to = sg_order_state_name(*next);
    s->move.finished = !sg_order_open(*next);
    return true;
}

bool sg_order_step(struct sg_order_step *s, enum sg_order_event event, struct sg_error *err)
{
    enum sg_order_state next;
    if (!step_fill(s, event, &next, err) || !sg_job_step(s->work->job, step_write, s, err))
        return false;
    s->work->state = next;
    return true;
}

static bool job_end(struct sg_order_work *w, const char *state, sg_db_fn fn, void *arg,
                    struct sg_error *err)
{
    json_t *result = json_pack("{s:s, s:s}", "order_id", w->row.id, "state", state);
    bool ok = sg_job_commit(w->job, fn, arg, &result, err);
    json_decref(result);
    w->ended = true;
    return ok;
}

bool sg_order_step_end(struct sg_order_step *s, enum sg_order_event event, struct sg_error *err)
{
    enum sg_order_state next;
    return step_fill(s, event, &next, err) &&
           job_end(s->work, sg_order_state_name(next), step_write, s, err);
}

static bool later(struct sg_order_step *s, struct sg_error *err)
{
    s->work->ended = true;
    return sg_job_later(s->work->job, step_write, s, s->move.next_at, s->move.explanation, err);
}

bool sg_order_step_later(struct sg_order_step *s, enum sg_order_event event, struct sg_error *err)
{
    enum sg_order_state next;
    return step_fill(s, event, &next, err) && later(s, err);
}

bool sg_order_wait(struct sg_order_step *s, struct sg_error *err)
{
    s->move.id = s->work->row.id;
    s->move.from = s->move.to = sg_order_state_name(s->work->state);
    return later(s, err);
}

struct refusal {
    struct sg_order_work *work;
    const char *cause, *words;
};

static bool refuse(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct refusal *r = arg;
    const struct sg_order_row *o = &r->work->row;
    struct sg_raise raise = {.kind = "certificate.order",
                             .severity = "warning",
                             .tenant_id = o->tenant_id,
                             .domain_id = o->domain_id,
                             .domain = o->domain,
                             .about = o->id,
                             .cause = r->cause,
                             .words = r->words};
    return sg_hsm_key_fail(tx, o->key_id, err) &&
           sg_raise_domain(tx, r->work->job->arena, &raise, err) &&
           sg_certificate_ensure(tx, o->tenant_id, o->domain_id,
                                 sg_tx_now(tx) + r->work->life->again, err);
}

bool sg_order_refuse(struct sg_order_work *w, const char *cause, const char *words,
                     struct sg_error *err)
{
    struct refusal r = {w, cause, words};
    struct sg_order_step s = {.work = w,
                              .move = {.cause = cause,
                                       .explanation = words,
                                       .next_at = sg_clock_now() + w->life->again,
                                       .chain = w->row.chain, /* to be looked at */
                                       .chain_count = w->row.chain_count},
                              .fn = refuse,
                              .arg = &r};
    bool answered =
        w->state == SG_ORDER_ENROL || w->state == SG_ORDER_PENDING || w->state == SG_ORDER_RECEIVED;
    return sg_order_step_end(&s, answered ? SG_ORDER_UNFIT : SG_ORDER_GIVEN_UP, err);
}

struct activation {
    const char *key_id;
    struct sg_bytes spki, blob;
};

static bool activate(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct activation *a = arg;
    return sg_hsm_key_activate(tx, a->key_id, a->spki, a->blob, err);
}

static bool key_find(struct sg_order_work *w, struct sg_hsm_key_row *key, struct sg_error *err)
{
    bool found;
    if (!sg_hsm_key_find(w->job->db, w->job->arena, w->row.key_id, key, &found, err))
        return false;
    return found || sg_fail(err, SG_E_INTERNAL, "the order's key has no row");
}

/* The order was cancelled meanwhile: its key must not stay behind on the token. */
static void key_drop(struct sg_order_work *w, const struct sg_hsm_key_row *row)
{
    struct sg_hsm_key key = sg_key_name(row);
    struct sg_error ignored = {0};
    if (key.kind == SG_HSM_TOKEN && !sg_hsm_destroy(w->life->hsm, &key, &ignored))
        sg_error_reset(&ignored); /* the sweep finds it by its row */
}

static bool step_key(struct sg_order_work *w, struct sg_error *err)
{
    struct sg_hsm_key_row key;
    SG_AUTO_BUF spki = {0};
    SG_AUTO_BUF blob = {0};
    struct sg_order_step s = {.work = w};
    if (!key_find(w, &key, err))
        return false;
    if (strcmp(key.state, "active") == 0)
        return sg_order_step(&s, SG_ORDER_KEY_THERE, err);
    if (strcmp(key.state, "pending") != 0)
        return sg_order_refuse(w, "key-lost",
                               sg_arena_printf(w->job->arena, "its key is %s", key.state), err);
    if (!sg_key_generate(w->life->hsm, &key, &spki, &blob, err))
        return false;
    struct activation a = {key.id, sg_buf_bytes(&spki), sg_buf_bytes(&blob)};
    s.fn = activate;
    s.arg = &a;
    if (sg_order_step(&s, SG_ORDER_KEY_THERE, err))
        return true;
    if (err->code == SG_E_CONFLICT)
        key_drop(w, &key);
    return false;
}

struct request {
    const char *key_id;
    struct sg_bytes csr;
};

static bool request_set(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct request *r = arg;
    return sg_hsm_key_set_csr(tx, r->key_id, r->csr, err);
}

static bool step_csr(struct sg_order_work *w, struct sg_error *err)
{
    struct sg_hsm_key_row key;
    SG_AUTO_BUF csr = {0};
    if (!key_find(w, &key, err))
        return false;
    if (strcmp(key.state, "active") != 0)
        return sg_order_refuse(w, "key-lost",
                               sg_arena_printf(w->job->arena, "its key is %s", key.state), err);
    if (!sg_key_request(w->life->hsm, &key, &csr, err))
        return false;
    struct request r = {key.id, sg_buf_bytes(&csr)};
    struct sg_order_step s = {.work = w, .fn = request_set, .arg = &r};
    return sg_order_step(&s, SG_ORDER_CSR_THERE, err);
}

static bool install(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_installation_commit(tx, arg, err);
}

/* REQ-158 to 164, 166, 178 to 180: what came is checked before it is anything. */
static bool step_received(struct sg_order_work *w, struct sg_error *err)
{
    struct sg_installation in = {.job = w->job,
                                 .life = w->life,
                                 .domain_id = w->row.domain_id,
                                 .handed = sk_X509_new_null()};
    bool ok = true, known = false;
    for (size_t i = 0; ok && i < w->row.chain_count; i++)
        ok = sg_x509_push(in.handed, w->row.chain[i]) ||
             sg_fail_openssl(err, SG_E_INTERNAL, "certificate %zu of the order is none", i + 1);
    ok = ok && sg_certificate_known(w->job->db, w->row.domain_id, w->row.chain[0], &known, err);
    /* Who asked for one before it was time may be given the one that there is. */
    if (ok && known && strcmp(w->row.reason, "request") != 0)
        ok = sg_order_refuse(w, "not-new",
                             "the authority gave a certificate that was installed "
                             "before",
                             err);
    else if (ok && sg_installation_check(&in, err))
        ok = job_end(w, "installed", install, &in, err);
    else if (ok && err->code == SG_E_CERT)
        ok = sg_order_refuse(w, in.cause ? in.cause : "unfit",
                             sg_arena_strdup(w->job->arena, err->detail), err);
    else
        ok = false;
    sg_installation_free(&in);
    return ok;
}

static bool cancelled(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    return sg_hsm_key_fail(tx, arg, err);
}

/* Nobody has use for it any more. */
static bool cancel(struct sg_order_work *w, const char *words, struct sg_error *err)
{
    struct sg_order_step s = {.work = w,
                              .move = {.cause = "domain-gone", .explanation = words},
                              .fn = cancelled,
                              .arg = (void *)(uintptr_t)w->row.key_id};
    return sg_order_step_end(&s, SG_ORDER_CANCEL, err);
}

static bool step(struct sg_order_work *w, struct sg_error *err)
{
    if (strcmp(w->row.domain_state, "revoked") == 0 || strcmp(w->row.tenant_state, "closed") == 0)
        return cancel(w, "the domain or its tenant is gone", err);
    switch (w->state) {
    case SG_ORDER_KEY:
        return step_key(w, err);
    case SG_ORDER_CSR:
        return step_csr(w, err);
    case SG_ORDER_ENROL:
    case SG_ORDER_PENDING:
        return sg_order_enrol(w, err);
    case SG_ORDER_RECEIVED:
        return step_received(w, err);
    default:
        return job_end(w, sg_order_state_name(w->state), NULL, NULL, err);
    }
}

bool sg_certificate_order_job(struct sg_job *job, struct sg_error *err)
{
    struct sg_order_work w = {.job = job, .life = job->ctx};
    if (!work_load(&w, err))
        return false;
    while (!w.ended) {
        if (step(&w, err))
            continue;
        /* Brought by hand or cancelled meanwhile; or the job went to another worker, and then
         * ending it fails likewise. */
        if (err->code != SG_E_CONFLICT || !work_load(&w, err) || sg_order_open(w.state))
            return false;
        return job_end(&w, sg_order_state_name(w.state), NULL, NULL, err);
    }
    return true;
}

bool sg_certificate_order_give_up(struct sg_job *job, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_order_work w = {.job = job, .life = job->ctx};
    struct sg_error ignored = {0};
    if (!work_load(&w, &ignored) || !sg_order_open(w.state))
        return true;
    struct refusal r = {&w, "internal", "it was tried in vain too often: see its job"};
    struct sg_order_step s = {.work = &w,
                              .move = {.cause = r.cause,
                                       .explanation = r.words,
                                       .next_at = sg_clock_now() + w.life->again}};
    enum sg_order_state next;
    return step_fill(&s, SG_ORDER_GIVEN_UP, &next, err) && step_write(tx, &s, err) &&
           refuse(tx, &r, err);
}
