/*
 * The judgement of one certificate (REQ-36, 47, 48, 67 to 69): chain, use, time, name, revocation,
 * in an order that asks the network last and only about certificates of accredited CAs.
 */
#include "cert/cert_internal.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static bool judged(struct sg_cert_facts *facts, enum sg_cert_status status, const char *detail)
{
    facts->status = status;
    facts->detail = detail;
    return status == SG_CERT_VALID;
}

/* Status and sentence of a certificate's own times. */
static bool judge_time(struct sg_arena *arena, X509 *certificate, const struct sg_chain *chain,
                       sg_time now, struct sg_cert_facts *facts)
{
    sg_time time = 0;
    char span[SG_TIME_TEXT];
    if (chain->status == SG_CERT_EXPIRED) {
        (void)sg_asn1_time(X509_get0_notAfter(certificate), &time);
        return judged(facts, SG_CERT_EXPIRED,
                      sg_arena_printf(arena, "expired %s ago, on %s",
                                      sg_facts_span(now - time, span), sg_facts_time(arena, time)));
    }
    if (chain->status == SG_CERT_NOT_YET_VALID) {
        (void)sg_asn1_time(X509_get0_notBefore(certificate), &time);
        return judged(facts, SG_CERT_NOT_YET_VALID,
                      sg_arena_printf(arena, "valid only in %s, from %s on",
                                      sg_facts_span(time - now, span), sg_facts_time(arena, time)));
    }
    return true;
}

static bool judge_name(struct sg_arena *arena, X509 *certificate, const char *domain,
                       struct sg_cert_facts *facts)
{
    if (!domain || sg_cert_names_domain(certificate, domain))
        return true;
    if (!facts->address)
        return judged(facts, SG_CERT_MISMATCH, "it carries no mail address"); /* REQ-48 */
    return judged(
        facts, SG_CERT_MISMATCH,
        sg_arena_printf(arena, "its address %s is not of the domain %s", facts->address, domain));
}

struct window {
    sg_time from, until;
    const char *remark; /* a list within its grace, or a bypass */
    bool passing;       /* it is not for all, or not for long: not to be remembered */
};

static void narrow(struct window *window, sg_time from, sg_time until)
{
    if (from > window->from)
        window->from = from;
    if (until < window->until)
        window->until = until;
}

/* What our domain has chosen counts where no current list is to be had; only then it is read. */
static bool domain_choice(struct sg_certs *certs, struct sg_arena *arena,
                          const struct sg_cert_question *q, struct sg_cert_choice *choice_r,
                          struct sg_error *err)
{
    const struct sg_cert_storage *storage = &certs->storage;
    *choice_r = (struct sg_cert_choice){.crl_grace = -1};
    if (q->ours && !storage->domain_choice(storage->ctx, arena, q->ours, choice_r, err))
        return false;
    if (choice_r->crl_grace < 0)
        choice_r->crl_grace = certs->limits.crl_grace_ms * 1000;
    return true;
}

/*
 * REQ-59: checking may be bypassed for a domain of ours or for one certificate, until an end. That
 * answers for what is not known; what any list says that is at hand, however old, is known.
 */
static bool bypass(struct sg_certs *certs, struct sg_arena *arena, const struct sg_cert_question *q,
                   const struct sg_cert_choice *choice, X509 *certificate, X509 *issuer,
                   struct sg_revocation_facts *revocation, const char **said_r,
                   struct sg_error *err)
{
    const struct sg_cert_storage *storage = &certs->storage;
    struct sg_cert_bypass one = {0};
    uint8_t sha256[SG_SHA256];
    sg_x509_sha256(certificate, sha256);
    *said_r = NULL;
    if (!storage->crl_bypass(storage->ctx, arena, sha256, q->now, &one, err))
        return false;
    bool whole = choice->crl_bypass_until > q->now;
    if (!whole && one.until <= q->now)
        return true;
    struct sg_revocation_facts known;
    sg_revocation_check(certs, certificate, issuer, &(struct sg_crl_ask){SG_CRL_CACHED, q->now, 0},
                        SG_CRL_FOREVER, &known);
    if (known.answer == SG_REVOKED) {
        *revocation = known;
        return true;
    }
    *said_r = sg_arena_printf(
        arena, "not known whether it is revoked, and checking is bypassed for %s until %s%s%s: %s",
        whole ? "the whole domain" : "this certificate",
        sg_facts_time(arena, whole ? choice->crl_bypass_until : one.until),
        whole ? "" : ", because: ", whole ? "" : one.reason, revocation->why);
    return true;
}

/* By current lists, signed by the key that signed the certificate or by another of the same CA: a
 * self-issued certificate of the chain binds the two (RFC 5280 section 6.3.3 (f)). */
static void ask_current(struct sg_certs *certs, STACK_OF(X509) *chain, const struct sg_crl_ask *ask,
                        int at, struct sg_revocation_facts *revocation)
{
    X509 *certificate = sk_X509_value(chain, at);
    sg_revocation_check(certs, certificate, sk_X509_value(chain, at + 1), ask, 0, revocation);
    for (int i = 1; i < sk_X509_num(chain); i++) {
        X509 *other = sk_X509_value(chain, i);
        struct sg_revocation_facts by_other;
        if (revocation->answer != SG_REVOCATION_UNKNOWN)
            return;
        if (i == at + 1 ||
            X509_NAME_cmp(X509_get_subject_name(other), X509_get_issuer_name(certificate)) != 0)
            continue;
        sg_revocation_check(certs, certificate, other, ask, 0, &by_other);
        if (by_other.answer != SG_REVOCATION_UNKNOWN)
            *revocation = by_other;
    }
}

/* One certificate of the chain: by current lists, else by what our domain allows. */
static bool ask_lists(struct sg_certs *certs, struct sg_arena *arena,
                      const struct sg_cert_question *q, STACK_OF(X509) *chain,
                      const struct sg_crl_ask *ask, int at, struct sg_revocation_facts *revocation,
                      const char **bypass_r, struct sg_error *err)
{
    X509 *certificate = sk_X509_value(chain, at), *issuer = sk_X509_value(chain, at + 1);
    struct sg_cert_choice choice;
    *bypass_r = NULL;
    ask_current(certs, chain, ask, at, revocation);
    sg_revocation_carried(certs, q, chain, at, revocation);
    /* A CA that names no list is watched by whoever accredited it; end certificates have to name
     * one (REQ-158). */
    if (at > 0 && !revocation->has_points && revocation->answer == SG_REVOCATION_UNKNOWN)
        revocation->answer = SG_NOT_REVOKED;
    if (revocation->answer != SG_REVOCATION_UNKNOWN)
        return true;
    if (!domain_choice(certs, arena, q, &choice, err))
        return false;
    if (revocation->has_points && choice.crl_grace > 0)
        sg_revocation_check(certs, certificate, issuer,
                            &(struct sg_crl_ask){SG_CRL_CACHED, q->now, 0}, choice.crl_grace,
                            revocation);
    return revocation->answer != SG_REVOCATION_UNKNOWN ||
           bypass(certs, arena, q, &choice, certificate, issuer, revocation, bypass_r, err);
}

/* REQ-174, 200: its owner, a domain of ours, says so before any revocation list does. */
static bool revoked_here(struct sg_certs *certs, X509 *certificate, bool *revoked_r,
                         struct sg_error *err)
{
    uint8_t sha256[SG_SHA256];
    sg_x509_sha256(certificate, sha256);
    return certs->storage.revoked_here(certs->storage.ctx, sha256, revoked_r, err);
}

/* Everything but the anchor, which is trusted by decree. facts get a status where it is not
 * valid. */
static bool judge_revocation(struct sg_certs *certs, struct sg_arena *arena,
                             const struct sg_cert_question *q, const struct sg_chain *chain,
                             struct window *window, struct sg_cert_facts *facts, bool *good_r,
                             struct sg_error *err)
{
    const struct sg_crl_ask ask = {.mode = chain->further ? SG_CRL_FETCH_FURTHER : SG_CRL_FETCH,
                                   .now = q->now,
                                   .until = q->lists_until_ms
                                                ? q->lists_until_ms
                                                : sg_deadline_in(certs->limits.crl_total_ms)};
    bool revoked;
    *good_r = false;
    if (!revoked_here(certs, q->certificate, &revoked, err))
        return false;
    if (revoked)
        return judged(facts, SG_CERT_REVOKED, "revoked by its owner, a domain of this gateway"),
               true;
    for (int i = 0; i < sk_X509_num(chain->chain) - 1; i++) {
        X509 *certificate = sk_X509_value(chain->chain, i);
        struct sg_revocation_facts revocation;
        const char *bypassed;
        if (!ask_lists(certs, arena, q, chain->chain, &ask, i, &revocation, &bypassed, err))
            return false;
        const char *prefix =
            i == 0 ? ""
                   : sg_arena_printf(arena, "the CA %s above it: ",
                                     sg_facts_name(arena, X509_get_subject_name(certificate)));
        if (revocation.answer == SG_REVOKED)
            return judged(facts, i == 0 ? SG_CERT_REVOKED : SG_CERT_UNTRUSTED,
                          sg_arena_printf(arena, "%s%s", prefix, revocation.why)),
                   true;
        if (revocation.answer == SG_REVOCATION_UNKNOWN && !bypassed)
            return judged(facts, SG_CERT_STATUS_UNKNOWN,
                          sg_arena_printf(arena, "%snot known whether it is revoked: %s", prefix,
                                          revocation.why)),
                   true;
        bool carried = revocation.carried && revocation.answer == SG_NOT_REVOKED;
        if (bypassed || revocation.lapsed || carried)
            window->remark = sg_arena_printf(
                arena, "%s%s%s%s", window->remark ? window->remark : "", window->remark ? "; " : "",
                prefix, bypassed ? bypassed : revocation.why);
        window->passing |= bypassed || revocation.lapsed || carried;
        facts->bypassed |= bypassed != NULL;
        if (revocation.answer == SG_NOT_REVOKED && revocation.good_until)
            narrow(window, revocation.good_from, revocation.good_until);
    }
    *good_r = true;
    return true;
}

static struct window chain_window(const struct sg_certs *certs, const struct sg_chain *chain)
{
    struct window window = {.from = INT64_MIN, .until = INT64_MAX};
    sg_time tolerance = certs->limits.clock_tolerance_ms * 1000, from, until;
    for (int i = 0; i < sk_X509_num(chain->chain); i++) {
        const X509 *x = sk_X509_value(chain->chain, i);
        if (sg_asn1_time(X509_get0_notBefore(x), &from) &&
            sg_asn1_time(X509_get0_notAfter(x), &until))
            narrow(&window, from - tolerance, until + tolerance);
    }
    return window;
}

/* Under the accredited roots for everybody, under a domain's own for that domain alone; nor do CAs
 * below these help to judge for others. */
static void remember(struct sg_certs *certs, struct sg_arena *arena,
                     const struct sg_cert_question *q, struct sg_verdict_key *key,
                     uint64_t generation, const struct sg_chain *chain, const struct window *window,
                     struct sg_cert_facts *facts)
{
    sg_time until = 0;
    (void)sg_asn1_time(X509_get0_notAfter(q->certificate), &until);
    facts->status = SG_CERT_VALID;
    facts->own_root = chain->further;
    facts->detail =
        sg_arena_printf(arena, "valid until %s%s%s%s", sg_facts_time(arena, until),
                        chain->further ? ", by a root of the domain's own" : "",
                        window->remark ? ", " : "", window->remark ? window->remark : "");
    if (chain->further)
        key->relying = q->relying;
    for (int i = 0; i < sk_X509_num(chain->chain); i++)
        sg_x509_remember(sk_X509_value(chain->chain, i));
    for (int i = 1; i < sk_X509_num(chain->chain) - 1 && !chain->further; i++)
        sg_certs_issuers_add(certs, sk_X509_value(chain->chain, i));
    if (!window->passing)
        sg_verdicts_add(certs->verdicts, key, generation, window->from, window->until, facts);
}

/* A verdict that holds for all, or for the relying domain, and that the certificate's owner has not
 * undone meanwhile. */
static bool remembered(struct sg_certs *certs, struct sg_arena *arena,
                       const struct sg_cert_question *q, struct sg_verdict_key key,
                       struct sg_cert_facts *facts_r, bool *found_r, struct sg_error *err)
{
    bool revoked = false;
    bool found = sg_verdicts_find(certs->verdicts, &key, q->now, arena, facts_r);
    key.relying = q->relying;
    found =
        found || (q->relying && sg_verdicts_find(certs->verdicts, &key, q->now, arena, facts_r));
    if (found && !revoked_here(certs, q->certificate, &revoked, err))
        return false;
    *found_r = found && !revoked;
    if (*found_r)
        sg_x509_remember(q->certificate);
    return true;
}

bool sg_check(struct sg_certs *certs, struct sg_arena *arena, const struct sg_cert_question *q,
              struct sg_cert_facts *facts_r, bool *issuer_missing_r, STACK_OF(X509) **chain_r,
              struct sg_error *err)
{
    *issuer_missing_r = false;
    if (chain_r)
        *chain_r = NULL;
    struct sg_verdict_key key = {
        .use = q->use, .domain = q->domain ? q->domain : "", .relying = ""};
    sg_x509_sha256(q->certificate, key.sha256);
    if (!sg_certs_renew(certs, err))
        return false;
    uint64_t generation = sg_verdicts_generation(certs->verdicts);
    bool known = false;
    if (!chain_r && q->list_count == 0 && !remembered(certs, arena, q, key, facts_r, &known, err))
        return false;
    if (known)
        return true;
    sg_facts_fill(arena, q->certificate, q->domain, facts_r);
    SG_AUTO_PATH chain;
    if (!sg_chain_build(certs, q, &chain, err))
        return false;
    char why[SG_CERT_WHY];
    if (chain.status == SG_CERT_UNTRUSTED) {
        *issuer_missing_r = chain.issuer_missing;
        judged(facts_r, SG_CERT_UNTRUSTED, sg_arena_strdup(arena, chain.why));
        return true;
    }
    if (!sg_suitable_leaf(q->certificate, q->use, why)) {
        judged(facts_r, SG_CERT_UNSUITABLE, sg_arena_strdup(arena, why));
        return true;
    }
    struct window window = chain_window(certs, &chain);
    window.remark = *why ? sg_arena_strdup(arena, why) : NULL;
    bool good;
    if (!judge_time(arena, q->certificate, &chain, q->now, facts_r) ||
        !judge_name(arena, q->certificate, q->domain, facts_r))
        return true;
    if (!judge_revocation(certs, arena, q, &chain, &window, facts_r, &good, err))
        return false;
    if (good)
        remember(certs, arena, q, &key, generation, &chain, &window, facts_r);
    if (good && chain_r) {
        *chain_r = chain.chain;
        chain.chain = NULL;
    }
    return true;
}

/* As many of what came along as are looked at. */
static STACK_OF(X509) *bounded(const struct sg_certs *certs, STACK_OF(X509) *untrusted)
{
    STACK_OF(X509) *some = sk_X509_new_null();
    int most = (int)certs->limits.max_certificates;
    for (int i = 0; some && i < sk_X509_num(untrusted) && i < most; i++) {
        X509 *x = sk_X509_value(untrusted, i);
        if (X509_up_ref(x) && !sk_X509_push(some, x))
            X509_free(x);
    }
    return some;
}

bool sg_cert_check(struct sg_certs *certs, struct sg_arena *arena,
                   const struct sg_cert_question *question, struct sg_cert_facts *facts_r,
                   struct sg_error *err)
{
    bool missing, came;
    SG_AUTO_CHAIN issuers = bounded(certs, question->untrusted);
    if (!issuers)
        return sg_fail(err, SG_E_NO_MEMORY, "certificates");
    struct sg_cert_question q = *question;
    q.untrusted = issuers;
    bool ok = sg_check(certs, arena, &q, facts_r, &missing, NULL, err);
    /* Many send the signer's certificate alone (REQ-81): what is above it is in the directory, and
     * the answer must not hang on whose certificates were seen before. */
    if (ok && missing)
        ok = sg_authorities_add_all(certs, arena, issuers, &came, err) &&
             (!came || sg_check(certs, arena, &q, facts_r, &missing, NULL, err));
    return ok;
}
