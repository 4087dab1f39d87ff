/*
 * A partner domain's certificate to encrypt to (REQ-43, 45, 51, 53): what is stored, then what the
 * directories have. Every candidate is judged, the newest valid one wins, and each judgement is
 * kept for whoever asks why.
 */
#include "cert/cert_internal.h"

#include "common/log.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    X509 *certificate;
    sg_time not_before;
    const char *origin; /* the address of the directory that it is from */
    bool waits;         /* in the store, for an administrator to approve of it */
};

struct search {
    struct sg_certs *certs;
    struct sg_arena *arena;
    enum sg_cert_use use;
    struct candidate *weak; /* candidates that may do where there is nothing better (REQ-24); NULL:
                             * there is to be something better. max_certificates at most */
    size_t weak_count;
    const char *domain, *relying;
    sg_time now;
    int64_t lists_ms; /* what is left of crl_total_ms, which is for all candidates together */
    STACK_OF(X509) *issuers; /* CA certificates that came along */
    struct sg_lookup *asked; /* directories, in this round */
    size_t asked_count;
    STACK_OF(X509) *lapsed; /* candidates that are expired, revoked or suspended */
    struct sg_cert_found *found;
    size_t room; /* for judgements */
    const struct sg_cert_wanted *wanted;
    const char *source; /* of what is not in the store: "ldap", "mail" */
    bool own_root;      /* what was judged last is good for the relying domain alone (REQ-180) */
    bool waits;         /* what was kept has begun to wait for an administrator */
};

static int newest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->not_before != y->not_before)
        return x->not_before > y->not_before ? -1 : 1;
    return X509_cmp(y->certificate,
                    x->certificate); /* any order, as long as it is always the same */
}

/* How near a candidate is to being of use: one whose status is unknown may be good in a minute. */
static int nearness(enum sg_cert_status status)
{
    static const enum sg_cert_status order[] = {
        SG_CERT_UNTRUSTED, SG_CERT_UNSUITABLE,    SG_CERT_MISMATCH,       SG_CERT_REVOKED,
        SG_CERT_EXPIRED,   SG_CERT_NOT_YET_VALID, SG_CERT_STATUS_UNKNOWN, SG_CERT_VALID};
    for (int i = 0; i < (int)(sizeof order / sizeof order[0]); i++)
        if (order[i] == status)
            return i;
    return 0;
}

static void note(struct search *search, const struct sg_cert_facts *facts, const char *source)
{
    struct sg_cert_found *found = search->found;
    if (!found->any || nearness(facts->status) > nearness(found->status))
        found->status = facts->status;
    found->any = true;
    for (size_t i = 0; i < found->candidate_count; i++)
        if (strcmp(found->candidates[i].facts.sha256, facts->sha256) == 0) {
            found->candidates[i].facts = *facts; /* judged again: stored and in the directory */
            return;
        }
    if (found->candidate_count == search->room) {
        struct sg_cert_candidate *more =
            SG_ARENA_ARRAY(search->arena, struct sg_cert_candidate, search->room * 2);
        memcpy(more, found->candidates, search->room * sizeof *more);
        found->candidates = more;
        search->room *= 2;
    }
    found->candidates[found->candidate_count++] = (struct sg_cert_candidate){*facts, source};
}

/* Splits what came into candidates, in the order in which they came, and CAs. */
static size_t split(struct search *search, const struct sg_bytes *ders, const bool *waits,
                    size_t count, struct candidate *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        X509 *x = sg_x509_decode(ders[i]);
        if (!x)
            continue;
        if (sg_is_authority(x)) {
            if (!sk_X509_push(search->issuers, x))
                X509_free(x);
            continue;
        }
        out[n] = (struct candidate){.certificate = x, .waits = waits && waits[i]};
        (void)sg_asn1_time(X509_get0_notBefore(x), &out[n].not_before);
        n++;
    }
    return n;
}

static bool judge(struct search *search, X509 *certificate, const char *source,
                  enum sg_cert_status *status_r, bool *issuer_missing_r, STACK_OF(X509) **chain_r,
                  struct sg_error *err)
{
    struct sg_cert_facts facts;
    struct sg_cert_question question = {.certificate = certificate,
                                        .untrusted = search->issuers,
                                        .use = search->use,
                                        .domain = search->domain,
                                        .relying = search->relying,
                                        .ours = search->wanted->relying,
                                        .lists_until_ms = sg_deadline_in(search->lists_ms),
                                        .now = search->now};
    if (!sg_check(search->certs, search->arena, &question, &facts, issuer_missing_r, chain_r, err))
        return false;
    search->lists_ms = sg_deadline_left(question.lists_until_ms);
    search->own_root = facts.own_root;
    /* REQ-46: some person's certificate of that domain is not its gateway's. */
    if (facts.status == SG_CERT_VALID && !sg_naming_is_dca_of(certificate, search->domain)) {
        facts.status = SG_CERT_MISMATCH;
        facts.detail = sg_arena_printf(
            search->arena, "it is not named domain-confidentiality-authority@%s", search->domain);
    }
    note(search, &facts, source);
    if ((facts.status == SG_CERT_EXPIRED || facts.status == SG_CERT_REVOKED) &&
        X509_up_ref(certificate) && !sk_X509_push(search->lapsed, certificate))
        X509_free(certificate);
    *status_r = facts.status;
    return true;
}

static bool keep_one(struct search *search, X509 *x, const char *origin, bool authority,
                     bool *usable_r, struct sg_error *err)
{
    struct sg_cert_storage *storage = &search->certs->storage;
    const struct sg_cert_wanted *wanted = search->wanted;
    struct sg_cert_partner partner = {.domain = search->domain,
                                      .source = search->source,
                                      .origin = origin,
                                      .now = search->now,
                                      .authority = authority,
                                      .approval = !authority && wanted->approval,
                                      .ask = !authority && wanted->change == SG_CERT_ASK,
                                      .relying = search->own_root ? wanted->relying : NULL,
                                      .dry = wanted->dry};
    bool waits = false;
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);
    if (len <= 0 || !sg_asn1_time(X509_get0_notBefore(x), &partner.not_before) ||
        !sg_asn1_time(X509_get0_notAfter(x), &partner.not_after))
        return sg_fail(err, SG_E_INTERNAL, "a certificate that was judged cannot be written");
    partner.der = sg_bytes_of(der, (size_t)len);
    bool ok = storage->partner_store(storage->ctx, &partner, usable_r, &waits, err);
    search->waits |= waits;
    OPENSSL_free(der);
    return ok;
}

/* The certificate and the CAs above it: without these it could not be judged again from storage.
 * What cannot be stored is not used: somebody may have refused it. */
static bool keep_all(struct search *search, X509 *certificate, STACK_OF(X509) *chain,
                     const char *origin, bool *usable_r, struct sg_error *err)
{
    bool any, ok = keep_one(search, certificate, origin, false, usable_r, err);
    for (int i = 1; ok && !search->wanted->dry && i < sk_X509_num(chain) - 1; i++)
        ok = keep_one(search, sk_X509_value(chain, i), origin, true, &any, err);
    return ok;
}

/* REQ-54: it is there, and nobody has approved of it. */
static void not_approved(struct search *search)
{
    struct sg_cert_found *found = search->found;
    for (size_t i = 0; i < found->candidate_count; i++) {
        struct sg_cert_facts *facts = &found->candidates[i].facts;
        if (facts->status != SG_CERT_VALID)
            continue;
        facts->status = SG_CERT_UNTRUSTED;
        facts->detail = "good, but an administrator has yet to approve of it, or has refused it";
    }
    found->status = SG_CERT_UNTRUSTED;
    found->awaits_approval = true;
}

/* Not good enough, or not by the accredited roots: perhaps it is where nothing better is found. */
static void weak_add(struct search *search, const struct candidate *candidate, const char *origin,
                     enum sg_cert_status status)
{
    if (!search->weak || search->use != SG_CERT_ENCRYPT ||
        (status != SG_CERT_UNSUITABLE && status != SG_CERT_UNTRUSTED))
        return;
    for (size_t i = 0; i < search->weak_count; i++)
        if (X509_cmp(search->weak[i].certificate, candidate->certificate) == 0)
            return;
    if (search->weak_count == search->certs->limits.max_certificates ||
        !X509_up_ref(candidate->certificate))
        return;
    struct candidate *kept = &search->weak[search->weak_count++];
    *kept = *candidate;
    kept->origin = origin;
}

/* In their order until one is valid. origin: NULL for the store. */
static bool judge_by(struct search *search, const struct candidate *list, size_t count,
                     const char *origin, bool *issuer_missing_r, struct sg_error *err)
{
    for (size_t i = 0; i < count && !search->found->certificate; i++) {
        bool missing;
        enum sg_cert_status status;
        STACK_OF(X509) *chain = NULL;
        if (!judge(search, list[i].certificate, origin ? origin : "store", &status, &missing,
                   origin ? &chain : NULL, err))
            return false;
        *issuer_missing_r |= missing;
        weak_add(search, &list[i], origin, status);
        bool ok = true, usable = !list[i].waits;
        if (status == SG_CERT_VALID && origin)
            ok = keep_all(search, list[i].certificate, chain, origin, &usable, err);
        if (ok && status == SG_CERT_VALID && usable) {
            X509_up_ref(list[i].certificate);
            search->found->certificate = list[i].certificate;
            search->found->status = SG_CERT_VALID;
        } else if (ok && status == SG_CERT_VALID) {
            not_approved(search);
        }
        sk_X509_pop_free(chain, X509_free);
        if (!ok)
            return false;
    }
    return true;
}

/* By the accredited roots; only where none of them is good, by the relying domain's own too: what
 * these vouch for replaces nothing (REQ-83). */
static bool judge_all(struct search *search, const struct candidate *list, size_t count,
                      const char *origin, bool *issuer_missing_r, struct sg_error *err)
{
    *issuer_missing_r = false;
    search->relying = NULL;
    if (!judge_by(search, list, count, origin, issuer_missing_r, err))
        return false;
    search->relying = search->wanted->relying;
    return !search->relying || search->found->certificate ||
           judge_by(search, list, count, origin, issuer_missing_r, err);
}

static void candidates_free(struct candidate *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        X509_free(list[i].certificate);
}

static bool from_store(struct search *search, struct sg_error *err)
{
    struct sg_cert_der_list stored = {0};
    struct sg_certs *certs = search->certs;
    const struct sg_cert_stored wanted = {.domain = search->domain,
                                          .correspondent = search->wanted->correspondent,
                                          .approval = search->wanted->approval,
                                          .change = search->wanted->change,
                                          .relying = search->wanted->relying,
                                          .now = search->now};
    if (!certs->storage.partner_find(certs->storage.ctx, search->arena, &wanted, &stored, err))
        return false;
    size_t most = certs->limits.max_certificates;
    if (stored.count > most)
        stored.count = most;
    struct candidate *list = SG_ARENA_ARRAY(search->arena, struct candidate, stored.count + 1);
    size_t count = split(search, stored.items, stored.waits, stored.count, list);
    if (wanted.change != SG_CERT_PIN)
        qsort(list, count, sizeof *list, newest_first);
    bool missing, ok = judge_all(search, list, count, NULL, &missing, err);
    candidates_free(list, count);
    return ok;
}

/* Of the directories that have answered. true: some came. */
static bool authorities_fetch(struct search *search)
{
    bool came = false;
    for (size_t i = 0; i < search->asked_count; i++)
        if (search->asked[i].ok)
            came |= sg_authorities_add(search->certs, search->asked[i].directory, search->arena,
                                       search->issuers);
    return came;
}

/* Judges what a directory brought; again, and from the start, when CAs were missing and came. */
static bool judge_directory(struct search *search, const struct candidate *list, size_t count,
                            const char *url, struct sg_error *err)
{
    struct sg_cert_found *found = search->found, before = *found;
    bool missing;
    if (!judge_all(search, list, count, url, &missing, err))
        return false;
    if (!missing || search->found->certificate || !authorities_fetch(search))
        return true;
    found->candidate_count = before.candidate_count;
    found->any = before.any;
    found->status = before.status;
    return judge_all(search, list, count, url, &missing, err);
}

struct answer {
    struct candidate *list; /* newest first */
    size_t count;
};

static int newest_answer_first(const void *a, const void *b)
{
    const struct answer *x = a, *y = b;
    sg_time left = x->count ? x->list[0].not_before : INT64_MIN;
    sg_time right = y->count ? y->list[0].not_before : INT64_MIN;
    return left != right ? (left > right ? -1 : 1) : 0;
}

/* What they brought, each with its directory's name, the one with the newest certificate first. */
static struct answer *answers_read(struct search *search, struct sg_lookup *lookups, size_t count)
{
    struct answer *answers = SG_ARENA_ARRAY(search->arena, struct answer, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct sg_lookup *lookup = &lookups[i];
        struct answer *answer = &answers[i];
        const char *url = sg_arena_strdup(search->arena, sg_directory_url(lookup->directory));
        answer->list = SG_ARENA_ARRAY(search->arena, struct candidate, lookup->values.count + 1);
        if (lookup->ok)
            answer->count =
                split(search, lookup->values.items, NULL, lookup->values.count, answer->list);
        qsort(answer->list, answer->count, sizeof *answer->list, newest_first);
        for (size_t k = 0; k < answer->count; k++)
            answer->list[k].origin = url;
        search->found->detail =
            lookup->ok ? sg_arena_printf(search->arena, "%s; %s: %zu certificate%s%s",
                                         search->found->detail, url, answer->count,
                                         answer->count == 1 ? "" : "s",
                                         lookup->values.truncated
                                             ? ", and more than may be looked at ([certificates] "
                                               "ldap_certificates, ldap_size)"
                                             : "")
                       : sg_arena_printf(search->arena, "%s; %s", search->found->detail,
                                         lookup->err.detail);
    }
    qsort(answers, count, sizeof *answers, newest_answer_first);
    return answers;
}

/* All at the same time (REQ-43). */
static bool from_some(struct search *search, struct sg_lookup *lookups, size_t count,
                      struct sg_error *err)
{
    sg_lookup_all(lookups, count, SG_ASK_DOMAIN, search->domain, &search->certs->limits,
                  search->arena);
    struct answer *answers = answers_read(search, lookups, count);
    search->asked = lookups;
    search->asked_count = count;
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        struct answer *a = &answers[i];
        if (ok && a->count && !search->found->certificate)
            ok = judge_directory(search, a->list, a->count, a->list[0].origin, err);
        candidates_free(a->list, a->count);
    }
    return ok;
}

/* REQ-58: is it the directory of a CA whose certificate of this domain is not good any more? */
static bool replaces_lapsed(struct search *search, X509 *anchor)
{
    for (int i = 0; i < sk_X509_num(search->lapsed); i++)
        if (sg_authority_above(search->certs, anchor, sk_X509_value(search->lapsed, i),
                               search->issuers))
            return true;
    return false;
}

/* Those of all, then those of the CAs whose certificates have lapsed. */
static bool from_directories(struct search *search, struct sg_error *err)
{
    struct sg_directory **list;
    size_t count, some = 0;
    if (!sg_directories_get(search->certs, search->arena, &list, &count, err))
        return false;
    struct sg_lookup *lookups = SG_ARENA_ARRAY(search->arena, struct sg_lookup, count + 1);
    for (size_t i = 0; i < count; i++)
        if (!sg_directory_anchor(list[i]))
            lookups[some++].directory = list[i];
    if (some == 0)
        search->found->detail =
            sg_arena_printf(search->arena, "%s; no directory is configured", search->found->detail);
    bool ok = from_some(search, lookups, some, err);
    struct sg_lookup *further = SG_ARENA_ARRAY(search->arena, struct sg_lookup, count + 1);
    some = 0;
    for (size_t i = 0; i < count && ok && !search->found->certificate; i++)
        if (sg_directory_anchor(list[i]) && replaces_lapsed(search, sg_directory_anchor(list[i])))
            further[some++].directory = list[i];
    ok = ok && from_some(search, further, some, err);
    for (size_t i = 0; i < count; i++)
        sg_directory_put(list[i]);
    return ok;
}

/* REQ-24: the newest of those that were not good enough, by what the sending domain allows. */
static bool from_weak(struct search *search, struct sg_error *err)
{
    bool ok = true, missing;
    search->use = SG_CERT_ENCRYPT_WEAK;
    if (search->weak_count > 1)
        qsort(search->weak, search->weak_count, sizeof *search->weak, newest_first);
    for (size_t i = 0; i < search->weak_count && ok && !search->found->certificate; i++)
        ok = judge_all(search, &search->weak[i], 1, search->weak[i].origin, &missing, err);
    return ok;
}

static void search_end(struct search *search)
{
    candidates_free(search->weak, search->weak_count);
    sk_X509_pop_free(search->issuers, X509_free);
    sk_X509_pop_free(search->lapsed, X509_free);
}

static bool search_begin(struct search *search, struct sg_certs *certs, struct sg_arena *arena,
                         const struct sg_cert_wanted *wanted, struct sg_cert_found *found_r,
                         struct sg_error *err)
{
    memset(found_r, 0, sizeof *found_r);
    found_r->status = SG_CERT_UNTRUSTED;
    if (!sg_domain_valid(sg_bytes_str(wanted->domain)))
        return sg_fail(err, SG_E_INVALID, "not a domain name");
    char *lower = sg_arena_strdup(arena, wanted->domain);
    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    *search = (struct search){.certs = certs,
                              .arena = arena,
                              .use = SG_CERT_ENCRYPT,
                              .domain = lower,
                              .wanted = wanted,
                              .relying = wanted->relying,
                              .now = wanted->now,
                              .lists_ms = certs->limits.crl_total_ms,
                              .issuers = sk_X509_new_null(),
                              .lapsed = sk_X509_new_null(),
                              .found = found_r,
                              .room = 8,
                              .source = "ldap"};
    if (!search->issuers || !search->lapsed) {
        search_end(search);
        return sg_fail(err, SG_E_NO_MEMORY, "certificates");
    }
    found_r->candidates = SG_ARENA_ARRAY(arena, struct sg_cert_candidate, search->room);
    if (wanted->weak)
        search->weak = SG_ARENA_ARRAY(arena, struct candidate, certs->limits.max_certificates);
    return true;
}

static bool search_do(struct search *search, struct sg_error *err)
{
    struct sg_cert_found *found = search->found;
    if (!from_store(search, err))
        return false;
    found->detail = sg_arena_printf(search->arena, "store: %zu certificate%s",
                                    found->candidate_count, found->candidate_count == 1 ? "" : "s");
    if (found->certificate)
        return true;
    return (search->wanted->correspondent || from_directories(search, err)) &&
           (found->certificate || from_weak(search, err));
}

bool sg_cert_discover(struct sg_certs *certs, struct sg_arena *arena,
                      const struct sg_cert_wanted *wanted, struct sg_cert_found *found_r,
                      struct sg_error *err)
{
    struct search search;
    if (!search_begin(&search, certs, arena, wanted, found_r, err))
        return false;
    bool ok = search_do(&search, err);
    if (ok)
        found_r->detail = sg_arena_printf(arena, "%s (asked: %s)",
                                          sg_facts_conclusion(arena, found_r), found_r->detail);
    search_end(&search);
    if (!ok) {
        X509_free(found_r->certificate);
        found_r->certificate = NULL;
    }
    return ok;
}

/* Harvest -------------------------------------------------------------------------------------- */

static bool untrusted_add(struct search *search, STACK_OF(X509) *untrusted, struct sg_error *err)
{
    for (int i = 0; i < sk_X509_num(untrusted); i++) {
        X509 *x = sk_X509_value(untrusted, i);
        if (!sg_is_authority(x))
            continue;
        if (!sk_X509_push(search->issuers, x))
            return sg_fail(err, SG_E_NO_MEMORY, "certificates");
        X509_up_ref(x);
    }
    return true;
}

/* Would it be judged the same in some hours? Not where a list, a CA or a person's word is waited
 * for. */
static bool settled(const struct sg_cert_harvested *h, const struct sg_cert_facts *facts)
{
    return h->good || facts->status == SG_CERT_UNSUITABLE || facts->status == SG_CERT_MISMATCH ||
           facts->status == SG_CERT_EXPIRED;
}

/* What is above it and did not come along is looked for as for any certificate (sg_cert_check). */
static bool judge_harvest(struct search *search, X509 *certificate, const char *origin,
                          enum sg_cert_status *status_r, STACK_OF(X509) **chain_r,
                          struct sg_error *err)
{
    bool missing, came = false;
    if (!judge(search, certificate, origin, status_r, &missing, chain_r, err))
        return false;
    if (missing &&
        !sg_authorities_add_all(search->certs, search->arena, search->issuers, &came, err))
        return false;
    return !came || judge(search, certificate, origin, status_r, &missing, chain_r, err);
}

static bool harvest(struct search *search, X509 *certificate, STACK_OF(X509) *untrusted,
                    const char *origin, struct sg_cert_harvested *h, struct sg_error *err)
{
    enum sg_cert_status status = SG_CERT_UNTRUSTED;
    STACK_OF(X509) *chain = NULL;
    bool ok = untrusted_add(search, untrusted, err) &&
              judge_harvest(search, certificate, origin, &status, &chain, err);
    /* What passes for want of a revocation list (REQ-59) is not remembered beyond that. */
    bool valid = ok && status == SG_CERT_VALID, dry = search->wanted->dry;
    h->good = valid && !search->found->candidates[0].facts.bypassed;
    if (h->good || (valid && dry)) {
        ok = keep_all(search, certificate, chain, origin, &h->usable, err);
        h->kept = ok && !dry;
        h->waits = h->kept && search->waits;
    }
    sk_X509_pop_free(chain, X509_free);
    return ok;
}

bool sg_cert_harvest(struct sg_certs *certs, struct sg_arena *arena, X509 *certificate,
                     STACK_OF(X509) *untrusted, const struct sg_cert_wanted *wanted,
                     const char *origin, struct sg_cert_harvested *harvested_r,
                     struct sg_error *err)
{
    struct search search;
    struct sg_cert_found found;
    uint8_t mark[SG_SHA256];
    *harvested_r = (struct sg_cert_harvested){0};
    sg_memo_mark(certificate, wanted, mark);
    if (!wanted->dry && sg_memo_has(certs->harvested, mark, wanted->now, &harvested_r->good))
        return true;
    if (!search_begin(&search, certs, arena, wanted, &found, err))
        return false;
    search.source = "mail";
    search.use = wanted->weak ? SG_CERT_ENCRYPT_WEAK : SG_CERT_ENCRYPT;
    bool ok = harvest(&search, certificate, untrusted, origin, harvested_r, err);
    search_end(&search);
    if (ok && !wanted->dry && settled(harvested_r, &found.candidates[0].facts))
        sg_memo_put(certs->harvested, mark, wanted->now, harvested_r->good);
    return ok;
}
