/*
 * Getting one revocation list: from storage, where this process has not looked yet, then from its
 * address. (Lists that a domain's own root alone vouches for are not stored: whoever gives his
 * domain a root does not fill the platform's database.) Only lists that the issuer signed get in,
 * never an older one than we have, and none that is yet to begin.
 */
#include "cert/crl_cache.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

/* What a look into storage or a fetch brought. */
struct brought {
    struct sg_crl *crl;
    char why[SG_CERT_WHY];
};

static void from_storage(struct sg_certs *certs, const struct sg_crl_entry *entry,
                         struct brought *brought)
{
    struct sg_error err;
    sg_error_reset(&err);
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_bytes der;
    bool found = false;
    if (!certs->storage.crl_find(certs->storage.ctx, arena, entry->url, &der, &found, &err))
        sg_log_error(SG_LOG_WARNING, "cert.crl_storage", &err, "url", entry->url, NULL);
    else if (found)
        brought->crl = sg_crl_read(der, entry->issuer, brought->why);
}

static void to_storage(struct sg_certs *certs, const char *url, struct sg_bytes der,
                       const struct sg_crl_times *times, sg_time now)
{
    struct sg_error err;
    sg_error_reset(&err);
    if (!certs->storage.crl_store(certs->storage.ctx, url, der, times->this_update,
                                  times->next_update, now, &err))
        sg_log_error(SG_LOG_WARNING, "cert.crl_storage", &err, "url", url, NULL);
}

/* Is it of use, as far as its times go? why: what is wrong with it. */
static bool timely(const struct sg_certs *certs, const struct sg_crl_times *times, sg_time now,
                   char why[SG_CERT_WHY])
{
    char date[SG_TIME_TEXT];
    if (times->this_update > now + certs->limits.clock_tolerance_ms * 1000)
        snprintf(why, SG_CERT_WHY, "the one that is there begins only at %s",
                 sg_facts_date(times->this_update, date));
    else if (times->next_update < now)
        snprintf(why, SG_CERT_WHY, "the one that is there ended at %s",
                 sg_facts_date(times->next_update, date));
    return !*why;
}

static void from_network(struct sg_certs *certs, const struct sg_crl_entry *entry, bool accredited,
                         sg_time now, struct brought *brought)
{
    struct sg_error err;
    sg_error_reset(&err);
    SG_AUTO_BUF body;
    const struct sg_fetch_limits limits = {.max_bytes = certs->limits.max_crl_bytes,
                                           .max_redirections = certs->limits.max_redirections,
                                           .deadline = sg_deadline_in(certs->limits.crl_timeout_ms),
                                           .public_only =
                                               !accredited && !certs->limits.further_private,
                                           .stop = &certs->crls->stop};
    if (!sg_fetch(entry->url, &limits, &body, &err)) {
        snprintf(brought->why, sizeof brought->why, "%s", err.detail);
        return;
    }
    sg_crl_unwrap(&body);
    brought->crl = sg_crl_read(sg_buf_bytes(&body), entry->issuer, brought->why);
    if (brought->crl && timely(certs, sg_crl_times_of(brought->crl), now, brought->why) &&
        accredited)
        to_storage(certs, entry->url, sg_buf_bytes(&body), sg_crl_times_of(brought->crl), now);
}

/* Under the lock. May this list stand in the place of what is there, be it nothing? An older one
 * undoes no revocation; one that is yet to begin would leave us without any, and keep out the one
 * that its CA puts in its place. */
static bool better(const struct sg_certs *certs, const struct sg_crl_entry *entry,
                   const struct sg_crl *crl, sg_time now)
{
    sg_time begins = sg_crl_times_of(crl)->this_update;
    return begins <= now + certs->limits.clock_tolerance_ms * 1000 &&
           (!entry->crl || begins >= sg_crl_times_of(entry->crl)->this_update);
}

/* Under the lock. What was good by the list before is looked at again. */
static bool take(struct sg_certs *certs, struct sg_crl_entry *entry, struct brought *brought,
                 sg_time now)
{
    if (!brought->crl)
        return false;
    if (!better(certs, entry, brought->crl, now)) {
        if (!*brought->why)
            snprintf(brought->why, sizeof brought->why,
                     "the one that is there is older than the last one known");
        sg_crl_free(&brought->crl);
        return false;
    }
    bool same = entry->crl && sg_crl_same_entries(entry->crl, brought->crl);
    bool news = entry->crl && !same;
    sg_crl_entry_put(certs, entry, brought->crl);
    brought->crl = NULL;
    return news;
}

void sg_crl_entry_fetch(struct sg_certs *certs, struct sg_crl_entry *entry, sg_time now)
{
    struct sg_crl_cache *cache = certs->crls;
    bool news = false, enough = false, accredited;
    pthread_mutex_lock(&cache->lock);
    accredited = entry->accredited;
    pthread_mutex_unlock(&cache->lock);
    if (accredited && !entry->storage_asked) { /* nobody else writes it while it is busy */
        struct brought stored = {0};
        from_storage(certs, entry, &stored);
        pthread_mutex_lock(&cache->lock);
        entry->storage_asked = true;
        (void)take(certs, entry, &stored, now);
        enough = sg_crl_entry_current(entry, now);
        if (enough)
            sg_crl_renewal_plan(certs, entry, true, now);
        pthread_mutex_unlock(&cache->lock);
    }
    if (enough)
        return;
    struct brought fetched = {0};
    from_network(certs, entry, accredited, now, &fetched);
    pthread_mutex_lock(&cache->lock);
    cache->fetches++;
    news = take(certs, entry, &fetched, now);
    sg_crl_renewal_plan(certs, entry, !*fetched.why, now);
    memcpy(entry->why, fetched.why, sizeof entry->why);
    pthread_mutex_unlock(&cache->lock);
    if (*fetched.why)
        sg_log(SG_LOG_WARNING, "cert.crl_unavailable", "url", entry->url, "reason", fetched.why,
               NULL);
    if (news)
        sg_verdicts_flush(certs->verdicts);
}
