/* The object that daemons hold: anchors, known issuers, caches. */
#include "cert/crl_cache.h"

#include "common/log.h"
#include "x509/x509.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ISSUERS 256
#define LISTS_MS    20000 /* unless the limits say otherwise */
#define MAX_POINTS  8     /* likewise */

struct sg_certs *sg_certs_new(const struct sg_cert_limits *limits,
                              const struct sg_cert_storage *storage)
{
    struct sg_certs *certs = calloc(1, sizeof *certs);
    if (!certs)
        abort();
    certs->limits = *limits;
    if (!certs->limits.crl_total_ms)
        certs->limits.crl_total_ms = LISTS_MS;
    certs->storage = *storage;
    pthread_mutex_init(&certs->lock, NULL);
    certs->issuers = sk_X509_new_null();
    certs->crls = sg_crl_cache_new();
    certs->verdicts = sg_verdicts_new(limits->verdicts, limits->verdict_ttl_ms);
    certs->directories = sg_directories_new(&certs->limits);
    certs->harvested = sg_memo_new(limits->harvested);
    sg_fetch_init();
    if (!certs->issuers)
        abort();
    sg_crl_renewal_start(certs);
    return certs;
}

void sg_certs_free(struct sg_certs **certs)
{
    if (!*certs)
        return;
    sg_crl_renewal_stop(*certs);
    sg_directories_free(&(*certs)->directories);
    sg_crl_cache_free(&(*certs)->crls);
    sg_verdicts_free(&(*certs)->verdicts);
    sg_memo_free(&(*certs)->harvested);
    X509_STORE_free((*certs)->anchors);
    sg_arena_free(&(*certs)->arena);
    sk_X509_pop_free((*certs)->issuers, X509_free);
    pthread_mutex_destroy(&(*certs)->lock);
    free(*certs);
    *certs = NULL;
}

void sg_certs_flush(struct sg_certs *certs)
{
    pthread_mutex_lock(&certs->lock);
    certs->generation++;
    X509_STORE_free(certs->anchors);
    certs->anchors = NULL;
    certs->anchors_until = 0;
    pthread_mutex_unlock(&certs->lock);
    sg_verdicts_flush(certs->verdicts);
    sg_memo_flush(certs->harvested);
    sg_directories_flush(certs->directories);
}

void sg_certs_state(struct sg_certs *certs, sg_time now, struct sg_certs_state *state_r)
{
    *state_r = (struct sg_certs_state){0};
    sg_directories_state(certs->directories, state_r);
    sg_crl_cache_state(certs->crls, now, state_r);
}

size_t sg_certs_points_most(const struct sg_certs *certs)
{
    return certs->limits.max_points ? certs->limits.max_points : MAX_POINTS;
}

bool sg_asn1_time(const ASN1_TIME *asn1, sg_time *time_r)
{
    struct tm tm;
    if (!asn1 || ASN1_TIME_to_tm(asn1, &tm) != 1)
        return false;
    *time_r = (sg_time)timegm(&tm) * SG_SECOND;
    return true;
}

/* Only a CA can be a root: a leaf among the anchors would be trusted without a chain. */
static bool store_of(struct sg_arena *arena, const struct sg_cert_der_list *list,
                     X509_STORE **store_r, struct sg_error *err)
{
    *store_r = X509_STORE_new();
    if (!*store_r)
        return sg_fail_openssl(err, SG_E_NO_MEMORY, "X509_STORE");
    for (size_t i = 0; i < list->count; i++) {
        SG_AUTO_X509 x = sg_x509_decode(list->items[i]);
        if (!x || X509_check_ca(x) == 0 || !X509_STORE_add_cert(*store_r, x))
            sg_log(SG_LOG_WARNING, "cert.anchor_refused", "subject",
                   x ? sg_facts_name(arena, X509_get_subject_name(x)) : NULL, "reason",
                   x ? "it is no CA certificate" : "it cannot be read", NULL);
    }
    ERR_clear_error();
    return true;
}

static bool same(const struct sg_cert_der_list *a, const struct sg_cert_der_list *b)
{
    bool is = a->count == b->count;
    for (size_t i = 0; is && i < a->count; i++)
        is = sg_bytes_equal(a->items[i], b->items[i]);
    return is;
}

/* What was read, unless a flush came between. *others_r: they take the place of others. */
static void anchors_put(struct sg_certs *certs, uint64_t generation, X509_STORE *store,
                        struct sg_arena **arena, const struct sg_cert_der_list *list,
                        sg_deadline until, bool *others_r)
{
    pthread_mutex_lock(&certs->lock);
    bool current = certs->generation == generation;
    *others_r = current && certs->anchors && !same(list, &certs->anchors_der);
    if (current) {
        struct sg_arena *before = certs->arena;
        X509_STORE_free(certs->anchors);
        X509_STORE_up_ref(store);
        certs->anchors = store;
        certs->arena = *arena;
        certs->anchors_der = *list;
        certs->anchors_until = until;
        certs->generation += *others_r;
        *arena = before;
    }
    pthread_mutex_unlock(&certs->lock);
}

/* Those that are there serve on where they are what was read. */
static bool anchors_stay(struct sg_certs *certs, uint64_t generation,
                         const struct sg_cert_der_list *list, sg_deadline until,
                         X509_STORE **store_r)
{
    pthread_mutex_lock(&certs->lock);
    bool stay =
        certs->generation == generation && certs->anchors && same(list, &certs->anchors_der);
    if (stay) {
        X509_STORE_up_ref(certs->anchors);
        *store_r = certs->anchors;
        certs->anchors_until = until;
    }
    pthread_mutex_unlock(&certs->lock);
    return stay;
}

static bool anchors_read(struct sg_certs *certs, uint64_t generation, X509_STORE **store_r,
                         struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_cert_der_list list = {0};
    sg_deadline until = sg_deadline_in(certs->limits.kept_ms);
    bool others;
    if (!certs->storage.anchors(certs->storage.ctx, arena, &list, err))
        return false;
    if (anchors_stay(certs, generation, &list, until, store_r))
        return true;
    if (!store_of(arena, &list, store_r, err))
        return false;
    anchors_put(certs, generation, *store_r, &arena, &list, until, &others);
    if (others) { /* and nobody has said so: what was good by those before is looked at again */
        sg_verdicts_flush(certs->verdicts);
        sg_memo_flush(certs->harvested);
    }
    return true;
}

bool sg_certs_anchors(struct sg_certs *certs, X509_STORE **store_r, struct sg_error *err)
{
    pthread_mutex_lock(&certs->lock);
    uint64_t generation = certs->generation;
    *store_r = sg_clock_monotonic_ms() < certs->anchors_until ? certs->anchors : NULL;
    if (*store_r)
        X509_STORE_up_ref(*store_r);
    pthread_mutex_unlock(&certs->lock);
    return *store_r || anchors_read(certs, generation, store_r, err);
}

bool sg_certs_renew(struct sg_certs *certs, struct sg_error *err)
{
    X509_STORE *store;
    if (sg_clock_monotonic_ms() < certs->anchors_until)
        return true;
    if (!sg_certs_anchors(certs, &store, err))
        return false;
    X509_STORE_free(store);
    return true;
}

bool sg_certs_domain_anchors(struct sg_certs *certs, const char *domain_id, X509_STORE **store_r,
                             struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_cert_der_list list = {0};
    *store_r = NULL;
    if (!certs->storage.domain_anchors(certs->storage.ctx, arena, domain_id, &list, err))
        return false;
    return list.count == 0 || store_of(arena, &list, store_r, err);
}

void sg_certs_issuers_get(struct sg_certs *certs, STACK_OF(X509) *stack)
{
    pthread_mutex_lock(&certs->lock);
    for (int i = 0; i < sk_X509_num(certs->issuers); i++) {
        X509 *x = sk_X509_value(certs->issuers, i);
        if (X509_up_ref(x) && !sk_X509_push(stack, x))
            X509_free(x);
    }
    pthread_mutex_unlock(&certs->lock);
}

void sg_certs_issuers_add(struct sg_certs *certs, X509 *issuer)
{
    pthread_mutex_lock(&certs->lock);
    bool known = false;
    for (int i = 0; i < sk_X509_num(certs->issuers) && !known; i++)
        known = X509_cmp(sk_X509_value(certs->issuers, i), issuer) == 0;
    if (!known) {
        if (sk_X509_num(certs->issuers) >= MAX_ISSUERS)
            X509_free(sk_X509_shift(certs->issuers));
        if (X509_up_ref(issuer) && !sk_X509_push(certs->issuers, issuer))
            X509_free(issuer);
    }
    pthread_mutex_unlock(&certs->lock);
}
