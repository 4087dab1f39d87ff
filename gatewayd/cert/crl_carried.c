/*
 * Revocation lists that came with a signature (RFC 8550 section 2.1): they count where they are
 * current and newer than what is to be had elsewhere. Whoever sends may choose among old ones; so
 * what a list from a distribution point says is never answered by an older one.
 */
#include "cert/cert_internal.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static bool covers(const struct sg_crl *crl, const X509 *certificate, const CRL_DIST_POINTS *points,
                   size_t most)
{
    char why[SG_CERT_WHY];
    for (int i = 0; i < sk_DIST_POINT_num(points) && (size_t)i < most; i++) {
        const DIST_POINT *point = sk_DIST_POINT_value(points, i);
        /* As of those that are fetched: lists of some reasons, or by somebody else, say nothing. */
        if (!point->reasons && !point->CRLissuer && sg_crl_covers(crl, certificate, point, why))
            return true;
    }
    return sk_DIST_POINT_num(points) <= 0 && sg_crl_covers(crl, certificate, NULL, why);
}

/* By any key of the issuer's that the chain vouches for: CAs renew theirs. */
static struct sg_crl *list_of(struct sg_bytes der, STACK_OF(X509) *chain, const X509_NAME *issuer)
{
    char why[SG_CERT_WHY];
    struct sg_crl *crl = NULL;
    for (int i = 1; i < sk_X509_num(chain) && !crl; i++)
        if (X509_NAME_cmp(X509_get_subject_name(sk_X509_value(chain, i)), issuer) == 0)
            crl = sg_crl_read(der, sk_X509_value(chain, i), why);
    return crl;
}

/* The newest that is current and speaks of the certificate; NULL: none does. */
static struct sg_crl *newest(const struct sg_certs *certs, const struct sg_cert_question *q,
                             STACK_OF(X509) *chain, const X509 *certificate)
{
    sg_time tolerance = certs->limits.clock_tolerance_ms * 1000;
    struct sg_crl *best = NULL;
    CRL_DIST_POINTS *points =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    for (size_t i = 0; i < q->list_count; i++) {
        struct sg_crl *crl = list_of(q->lists[i], chain, X509_get_issuer_name(certificate));
        const struct sg_crl_times *times = crl ? sg_crl_times_of(crl) : NULL;
        if (times && q->now + tolerance >= times->this_update && q->now <= times->next_update &&
            (!best || times->this_update > sg_crl_times_of(best)->this_update) &&
            covers(crl, certificate, points, sg_certs_points_most(certs))) {
            sg_crl_free(&best);
            best = crl;
        } else {
            sg_crl_free(&crl);
        }
    }
    CRL_DIST_POINTS_free(points);
    return best;
}

/* Is a list at hand that is no older, although it has ended? One that holds for longer than a newer
 * one did is not to hide what that said. */
static bool outdone(struct sg_certs *certs, const struct sg_cert_question *q, STACK_OF(X509) *chain,
                    int at, sg_time good_from)
{
    struct sg_revocation_facts known;
    sg_revocation_check(certs, sk_X509_value(chain, at), sk_X509_value(chain, at + 1),
                        &(struct sg_crl_ask){SG_CRL_CACHED, q->now, 0}, SG_CRL_FOREVER, &known);
    return known.answer == SG_REVOKED && known.good_from >= good_from;
}

void sg_revocation_carried(struct sg_certs *certs, const struct sg_cert_question *q,
                           STACK_OF(X509) *chain, int at, struct sg_revocation_facts *facts)
{
    X509 *certificate = sk_X509_value(chain, at);
    sg_time tolerance = certs->limits.clock_tolerance_ms * 1000;
    struct sg_crl *crl = q->list_count ? newest(certs, q, chain, certificate) : NULL;
    if (!crl)
        return;
    const struct sg_crl_times *times = sg_crl_times_of(crl);
    char why[SG_CERT_WHY] = "";
    if (facts->answer == SG_REVOCATION_UNKNOWN ||
        times->this_update - tolerance > facts->good_from) {
        bool listed = sg_crl_lists(crl, certificate, why);
        if (!listed && outdone(certs, q, chain, at, times->this_update - tolerance)) {
            sg_crl_free(&crl);
            return;
        }
        facts->answer = listed ? SG_REVOKED : SG_NOT_REVOKED;
        facts->carried = true;
        facts->lapsed = false;
        facts->good_from = times->this_update - tolerance;
        facts->good_until = times->next_update;
        snprintf(facts->why, sizeof facts->why,
                 "%s%sby a revocation list that came with the message", why, listed ? ", " : "");
    }
    sg_crl_free(&crl);
}
