/* Asking the authority (RFC 7030), and what its answers mean for the order. */
#include "certlife/access.h"
#include "certlife/est.h"
#include "certlife/install.h"
#include "certlife/life.h"
#include "certlife/order_internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define SUSPENDED_PAUSE (5 * 60 * SG_SECOND)
#define INCIDENT_AFTER  3 /* failures in a row; a refusal or garbage is one at once */

struct enrolment {
    struct sg_order_work *work;
    struct sg_authority_row authority;
    struct sg_hsm_key_row key;
};

static sg_time between(sg_time value, sg_time least, sg_time most)
{
    return value < least ? least : value > most ? most : value;
}

/* How an outcome is called in the order. */
static const char *cause_of(enum sg_est_outcome outcome)
{
    static const char *const causes[] = {"",        "",         "unreachable", "unauthorized",
                                         "refused", "malformed"};
    return causes[outcome];
}

struct fault {
    struct enrolment *e;
    const char *kind; /* of the incident; NULL: none yet */
    const char *words;
};

static bool fault_raise(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct fault *f = arg;
    const struct sg_authority_row *a = &f->e->authority;
    return !f->kind ||
           sg_raise_authority(tx, f->e->work->job->arena, f->kind, a->id, a->name, f->words, err);
}

/* Tried again, later each time; a person is told where that alone will not help. */
static bool fault_wait(struct enrolment *e, const char *cause, const char *words,
                       int64_t retry_after_s, struct sg_error *err)
{
    struct sg_order_work *w = e->work;
    int attempts = w->row.attempts + 1;
    bool away = strcmp(cause, "unreachable") == 0;
    struct fault f = {.e = e,
                      .kind = !away                       ? "authority.refused"
                              : attempts < INCIDENT_AFTER ? NULL
                                                          : "authority.unavailable",
                      .words = words};
    sg_time pause = sg_life_pause(attempts, w->life->retry_first, w->life->retry_most);
    if (retry_after_s >= 0)
        pause = between(retry_after_s * SG_SECOND, w->life->retry_first, w->life->retry_most);
    struct sg_order_step s = {.work = w,
                              .move = {.cause = cause,
                                       .explanation = words,
                                       .attempts = attempts,
                                       .polls = w->row.polls,
                                       .next_at = sg_clock_now() + pause},
                              .fn = fault_raise,
                              .arg = &f};
    return sg_order_wait(&s, err);
}

static bool settle(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct enrolment *e = arg;
    return sg_settle_authority(tx, e->work->job->arena, e->authority.id, err);
}

/* 202: not a failure; looked at again when the authority says, within our own bounds. */
static bool pending(struct enrolment *e, const struct sg_est_answer *a, struct sg_error *err)
{
    struct sg_order_work *w = e->work;
    int64_t asked = a->retry_after_s < 0 ? 0 : a->retry_after_s;
    sg_time most = w->life->poll_most / SG_SECOND;
    sg_time pause = (asked > most ? most : asked) * SG_SECOND;
    struct sg_order_step s = {
        .work = w,
        .move = {.explanation = a->words,
                 .polls = w->row.polls + 1,
                 .next_at =
                     sg_clock_now() + between(pause, w->life->poll_least, w->life->poll_most)},
        .fn = settle,
        .arg = e};
    return sg_order_step_later(&s, SG_ORDER_ACCEPTED, err);
}

static bool has_key(const X509 *x, struct sg_bytes spki)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool same = len > 0 && sg_bytes_equal(sg_bytes_of(der, (size_t)len), spki);
    OPENSSL_free(der);
    return same;
}

/* The one for our key; else the first that is no CA's: it is refused later, with its reason. */
static int leaf_of(STACK_OF(X509) *list, struct sg_bytes spki)
{
    for (int i = 0; i < sk_X509_num(list); i++)
        if (has_key(sk_X509_value(list, i), spki))
            return i;
    for (int i = 0; i < sk_X509_num(list); i++)
        if (!X509_check_ca(sk_X509_value(list, i)))
            return i;
    return 0;
}

static bool issued(struct enrolment *e, STACK_OF(X509) *list, STACK_OF(X509) *authorities,
                   struct sg_error *err)
{
    struct sg_order_work *w = e->work;
    size_t most = (size_t)(sk_X509_num(list) + sk_X509_num(authorities)), n = 0;
    struct sg_bytes *chain = SG_ARENA_ARRAY(w->job->arena, struct sg_bytes, most + 1);
    int leaf = leaf_of(list, e->key.spki);
    chain[n++] = sg_x509_der(w->job->arena, sk_X509_value(list, leaf));
    for (int i = 0; i < sk_X509_num(list); i++)
        if (i != leaf)
            chain[n++] = sg_x509_der(w->job->arena, sk_X509_value(list, i));
    for (int i = 0; i < sk_X509_num(authorities); i++)
        chain[n++] = sg_x509_der(w->job->arena, sk_X509_value(authorities, i));
    struct sg_order_step s = {
        .work = w, .move = {.chain = chain, .chain_count = n}, .fn = settle, .arg = e};
    if (!sg_order_step(&s, SG_ORDER_ISSUED, err))
        return false;
    w->row.chain = chain;
    w->row.chain_count = n;
    return true;
}

/* Does it lead to one of the accredited roots now? */
static bool leads_to_anchor(X509 *x, STACK_OF(X509) *anchors, STACK_OF(X509) *others)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool ok = store && ctx;
    for (int i = 0; ok && i < sk_X509_num(anchors); i++)
        ok = X509_STORE_add_cert(store, sk_X509_value(anchors, i)) == 1;
    ok = ok && X509_STORE_CTX_init(ctx, store, x, others) == 1;
    if (ok) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, sg_time_seconds(sg_clock_now()));
        ok = X509_verify_cert(ctx) == 1;
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return ok;
}

/* REQ-178 to 180: nothing is asked of an authority whose certificates lead to no accredited root.
 */
static bool accredited(struct enrolment *e, STACK_OF(X509) *authorities, bool *yes_r,
                       struct sg_error *err)
{
    STACK_OF(X509) *anchors = sk_X509_new_null();
    bool ok = sg_anchors_read(e->work->job, anchors, err);
    *yes_r = false;
    for (int i = 0; ok && !*yes_r && i < sk_X509_num(authorities); i++)
        *yes_r = leads_to_anchor(sk_X509_value(authorities, i), anchors, authorities);
    sk_X509_pop_free(anchors, X509_free);
    return ok;
}

static bool answer_take(struct enrolment *e, struct sg_est_answer *a, STACK_OF(X509) *authorities,
                        struct sg_error *err)
{
    switch (a->outcome) {
    case SG_EST_ISSUED:
        return issued(e, a->certificates, authorities, err);
    case SG_EST_PENDING:
        return pending(e, a, err);
    case SG_EST_REFUSED:
        return sg_order_refuse(e->work, cause_of(a->outcome), a->words, err);
    case SG_EST_UNREACHABLE:
    case SG_EST_UNAUTHORIZED:
    case SG_EST_GARBAGE:
        break;
    }
    return fault_wait(e, cause_of(a->outcome), a->words, a->retry_after_s, err);
}

static bool ask(struct enrolment *e, const struct sg_access *access, struct sg_error *err)
{
    SG_AUTO_EST_ANSWER authorities = {0};
    SG_AUTO_EST_ANSWER answer = {0};
    const char *url = e->authority.est_url;
    bool yes;
    sg_est_cacerts(url, &access->http, &authorities);
    if (authorities.outcome != SG_EST_ISSUED)
        return fault_wait(e,
                          authorities.outcome == SG_EST_UNAUTHORIZED  ? "unauthorized"
                          : authorities.outcome == SG_EST_UNREACHABLE ? "unreachable"
                                                                      : "malformed",
                          authorities.words, authorities.retry_after_s, err);
    if (!accredited(e, authorities.certificates, &yes, err))
        return false;
    if (!yes)
        return fault_wait(e, "untrusted", "the authority's certificates lead to no accredited root",
                          -1, err);
    /* An authority that knows of no certificate to be renewed any more takes it as a first one. */
    sg_est_enrol(url, &access->http, e->work->row.renews, e->key.csr, &answer);
    if (e->work->row.renews && answer.outcome == SG_EST_REFUSED) {
        SG_AUTO_EST_ANSWER first = {0};
        sg_est_enrol(url, &access->http, false, e->key.csr, &first);
        if (first.outcome != SG_EST_REFUSED)
            return answer_take(e, &first, authorities.certificates, err);
    }
    return answer_take(e, &answer, authorities.certificates, err);
}

static bool awaited(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct sg_order_step *s = arg;
    const struct sg_order_row *o = &s->work->row;
    struct sg_raise raise = {.kind = "certificate.awaited",
                             .severity = "warning",
                             .tenant_id = o->tenant_id,
                             .domain_id = o->domain_id,
                             .domain = o->domain,
                             .about = o->id,
                             .cause = "by-hand",
                             .words = s->move.explanation};
    return sg_raise_domain(tx, s->work->job->arena, &raise, err);
}

/* A person is told what to do. */
static bool by_hand(struct sg_order_work *w, struct sg_error *err)
{
    struct sg_order_step s = {
        .work = w,
        .move = {.explanation = "waits for a certificate that a person brings; the request is with "
                                "its key"},
        .fn = awaited,
        .arg = &s};
    return sg_order_step_end(&s, SG_ORDER_ACCEPTED, err);
}

static bool enrolment_load(struct enrolment *e, struct sg_error *err)
{
    struct sg_order_work *w = e->work;
    bool found;
    if (!sg_authority_find(w->job->db, w->job->arena, w->row.authority_id, &e->authority, &found,
                           err))
        return false;
    if (!found)
        return sg_fail(err, SG_E_INTERNAL, "the order's authority is not there");
    if (!sg_hsm_key_find(w->job->db, w->job->arena, w->row.key_id, &e->key, &found, err))
        return false;
    return found || sg_fail(err, SG_E_INTERNAL, "the order's key has no row");
}

/* Nothing is asked for who does not own the domain now, or may not use it. */
static bool suspended(struct sg_order_work *w, bool *waits_r, struct sg_error *err)
{
    const char *state = w->row.domain_state;
    *waits_r = (strcmp(state, "attested") != 0 && strcmp(state, "verified") != 0) ||
               strcmp(w->row.tenant_state, "active") != 0;
    if (!*waits_r)
        return true;
    struct sg_order_step s = {.work = w,
                              .move = {.cause = "suspended",
                                       .explanation = "the domain or its tenant is suspended",
                                       .attempts = w->row.attempts,
                                       .polls = w->row.polls,
                                       .next_at = sg_clock_now() + SUSPENDED_PAUSE}};
    return sg_order_wait(&s, err);
}

bool sg_order_enrol(struct sg_order_work *w, struct sg_error *err)
{
    struct enrolment e = {.work = w};
    bool waits;
    SG_AUTO_ACCESS access = {0};
    struct sg_error why = {0};
    if (!suspended(w, &waits, err))
        return false;
    if (waits)
        return true;
    if (!enrolment_load(&e, err))
        return false;
    if (strcmp(e.key.state, "active") != 0)
        return sg_order_refuse(w, "key-lost", "its key is not active any more", err);
    if (strcmp(e.authority.method, "manual") == 0)
        return by_hand(w, err);
    if (w->state == SG_ORDER_PENDING && w->row.polls == 0) { /* it was by hand before */
        struct sg_order_step s = {.work = w};
        return sg_order_step(&s, SG_ORDER_ASK, err);
    }
    if (!sg_access_open(w->life, &e.authority, &access, &why))
        return fault_wait(&e, "credentials", sg_arena_strdup(w->job->arena, why.detail), -1, err);
    return ask(&e, &access, err);
}
