/*
 * Is a certificate revoked? Asked of the lists at the distribution points that it names (REQ-49):
 * one that is current, from the cache or fetched; else, where none can be had, the last known one
 * within the grace of REQ-40; else nobody knows.
 */
#include "cert/cert_internal.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define MAX_URL 2048

struct point {
    const DIST_POINT *point;
    char *url;
};

static size_t point_urls(const DIST_POINT *point, struct point *out, size_t room,
                         struct sg_arena *arena)
{
    /* Lists of some reasons only, or signed by somebody else, are of no use to us. */
    if (point->reasons || point->CRLissuer || !point->distpoint || point->distpoint->type != 0)
        return 0;
    const GENERAL_NAMES *names = point->distpoint->name.fullname;
    size_t n = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && n < room; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        struct sg_bytes uri =
            sg_bytes_of(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
                        (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
        bool plain = uri.len > 0 && uri.len <= MAX_URL;
        for (size_t j = 0; j < uri.len && plain; j++)
            plain = uri.data[j] > ' ' && uri.data[j] < 0x7f;
        if (!plain)
            continue;
        char *url = sg_arena_str(arena, uri);
        if (sg_fetch_url_allowed(url))
            out[n++] = (struct point){point, url};
    }
    return n;
}

/* Why a list says nothing, for an operator. */
static void why_not(const struct sg_crl_got *got, const char *url, sg_time good_until, sg_time now,
                    char why[SG_CERT_WHY])
{
    char date[SG_TIME_TEXT], span[SG_TIME_TEXT];
    if (!got->crl) {
        snprintf(why, SG_CERT_WHY, "the revocation list of %.150s could not be had: %.200s", url,
                 *got->why ? got->why : "it has not been fetched yet");
        return;
    }
    const struct sg_crl_times *times = sg_crl_times_of(got->crl);
    if (now < times->this_update)
        snprintf(why, SG_CERT_WHY, "the revocation list of %.150s begins only at %s", url,
                 sg_facts_date(times->this_update, date));
    else if (now > good_until) {
        int used = snprintf(why, SG_CERT_WHY, "the revocation list of %.150s ended %s ago, at %s",
                            url, sg_facts_span(now - times->next_update, span),
                            sg_facts_date(times->next_update, date));
        if (*got->why)
            snprintf(why + used, SG_CERT_WHY - (size_t)used,
                     ", and no newer one could be had: %.150s", got->why);
    }
}

static void why_lapsed(const struct sg_crl_got *got, const char *url, sg_time good_until,
                       sg_time now, char why[SG_CERT_WHY])
{
    char date[SG_TIME_TEXT], span[SG_TIME_TEXT];
    snprintf(why, SG_CERT_WHY,
             "by the revocation list of %.150s, which ended %s ago and could not be renewed: "
             "%.120s; grace ends at %s",
             url, sg_facts_span(now - sg_crl_times_of(got->crl)->next_update, span),
             *got->why ? got->why : "not tried yet", sg_facts_date(good_until, date));
}

/* A list that was got is asked when its time and its scope allow it. why: the answer's reason, or
 * why there is none. */
static bool ask(const struct sg_crl_got *got, const struct point *point, X509 *certificate,
                sg_time grace, sg_time now, sg_time tolerance, struct sg_revocation_facts *facts,
                char why[SG_CERT_WHY])
{
    const struct sg_crl_times *times = got->crl ? sg_crl_times_of(got->crl) : NULL;
    sg_time good_until = times ? times->next_update + grace : 0;
    if (!times || now + tolerance < times->this_update || now > good_until) {
        why_not(got, point->url, good_until, now, why);
        return false;
    }
    if (!sg_crl_covers(got->crl, certificate, point->point, why))
        return false;
    facts->answer = sg_crl_lists(got->crl, certificate, why) ? SG_REVOKED : SG_NOT_REVOKED;
    facts->lapsed = now > times->next_update;
    facts->good_from = times->this_update - tolerance;
    facts->good_until = good_until;
    if (facts->answer == SG_NOT_REVOKED && facts->lapsed)
        why_lapsed(got, point->url, good_until, now, why);
    return true;
}

/* Each point in turn until one answers; else what came of all of them. */
static bool ask_points(struct sg_certs *certs, X509 *certificate, X509 *issuer,
                       const struct point *points, size_t count, const struct sg_crl_ask *how,
                       sg_time grace, struct sg_revocation_facts *facts)
{
    sg_time tolerance = certs->limits.clock_tolerance_ms * 1000;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        struct sg_crl_got got;
        char why[SG_CERT_WHY] = "";
        sg_crl_get(certs, points[i].url, issuer, how, &got);
        bool answered = ask(&got, &points[i], certificate, grace, how->now, tolerance, facts, why);
        sg_crl_free(&got.crl);
        if (answered) {
            snprintf(facts->why, sizeof facts->why, "%s", why);
            return true;
        }
        if (why[0] && used < sizeof facts->why)
            used += (size_t)snprintf(facts->why + used, sizeof facts->why - used, "%s%s",
                                     used ? "; " : "", why);
    }
    return false;
}

void sg_revocation_check(struct sg_certs *certs, X509 *certificate, X509 *issuer,
                         const struct sg_crl_ask *how, sg_time grace,
                         struct sg_revocation_facts *facts_r)
{
    const struct sg_crl_ask cached = {.mode = SG_CRL_CACHED, .now = how->now};
    memset(facts_r, 0, sizeof *facts_r);
    facts_r->answer = SG_REVOCATION_UNKNOWN;
    SG_AUTO_ARENA arena = sg_arena_new();
    size_t count = 0, most = sg_certs_points_most(certs);
    struct point *points = SG_ARENA_ARRAY(arena, struct point, most);
    int critical;
    CRL_DIST_POINTS *list =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, &critical, NULL);
    facts_r->has_points = list || critical != -1;
    for (int i = 0; i < sk_DIST_POINT_num(list); i++)
        count += point_urls(sk_DIST_POINT_value(list, i), points + count, most - count, arena);
    if (count == 0)
        snprintf(facts_r->why, sizeof facts_r->why,
                 "it names no revocation list that can be fetched");
    /* Current ones that are at hand; current ones that can be had; the last known within grace. */
    if (!ask_points(certs, certificate, issuer, points, count, &cached, 0, facts_r) &&
        (how->mode == SG_CRL_CACHED ||
         !ask_points(certs, certificate, issuer, points, count, how, 0, facts_r)) &&
        grace > 0)
        (void)ask_points(certs, certificate, issuer, points, count, &cached, grace, facts_r);
    CRL_DIST_POINTS_free(list);
}
