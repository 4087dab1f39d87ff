/*
 * For pkits_probe alone, in the place of crl_points.c: NIST's certificates name no list that could
 * be fetched, so that all the lists of a folder are asked. What a list is and says is the
 * library's.
 */
#include "cert/cert_internal.h"
#include "files.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* One list about one certificate, at one of its points (NULL: it names none). */
static void ask(struct sg_bytes der, X509 *certificate, X509 *issuer, const DIST_POINT *point,
                sg_time now, struct sg_revocation_facts *facts)
{
    char why[SG_CERT_WHY] = "";
    struct sg_crl *crl = sg_crl_read(der, issuer, why);
    const struct sg_crl_times *times = crl ? sg_crl_times_of(crl) : NULL;
    if (crl && (now < times->this_update || now > times->next_update))
        snprintf(why, sizeof why, "the list is not current");
    else if (crl && sg_crl_covers(crl, certificate, point, why)) {
        if (sg_crl_lists(crl, certificate, why))
            facts->answer = SG_REVOKED;
        else if (facts->answer == SG_REVOCATION_UNKNOWN)
            facts->answer = SG_NOT_REVOKED;
        facts->good_from = times->this_update;
        facts->good_until = times->next_update;
    }
    if (*why && facts->answer != SG_NOT_REVOKED && !strstr(why, "another issuer") &&
        (facts->answer == SG_REVOCATION_UNKNOWN || strstr(why, "since")))
        snprintf(facts->why, sizeof facts->why, "%s", why);
    sg_crl_free(&crl);
}

static void ask_all(const struct sg_cert_der_list *lists, X509 *certificate, X509 *issuer,
                    const DIST_POINT *point, sg_time now, struct sg_revocation_facts *facts)
{
    if (point && (point->reasons || point->CRLissuer))
        return;
    for (size_t i = 0; i < lists->count; i++)
        ask(lists->items[i], certificate, issuer, point, now, facts);
}

void sg_revocation_check(struct sg_certs *certs, X509 *certificate, X509 *issuer,
                         const struct sg_crl_ask *how, sg_time grace,
                         struct sg_revocation_facts *facts_r)
{
    (void)grace;
    memset(facts_r, 0, sizeof *facts_r);
    facts_r->answer = SG_REVOCATION_UNKNOWN;
    facts_r->has_points = true; /* a CA's lists are asked for as well */
    snprintf(facts_r->why, sizeof facts_r->why, "there is no list of its issuer");
    static struct sg_arena *arena; /* for all questions; one thread asks them */
    static struct sg_cert_der_list lists;
    if (!arena) {
        arena = sg_arena_new();
        files_read_folder(
            arena, sg_arena_printf(arena, "%s/lists", (const char *)certs->storage.ctx), &lists);
    }
    CRL_DIST_POINTS *points =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    if (!points)
        ask_all(&lists, certificate, issuer, NULL, how->now, facts_r);
    for (int i = 0; i < sk_DIST_POINT_num(points); i++)
        ask_all(&lists, certificate, issuer, sk_DIST_POINT_value(points, i), how->now, facts_r);
    CRL_DIST_POINTS_free(points);
}
