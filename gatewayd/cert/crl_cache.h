/* The lists that are at hand, for the files that get, fetch and renew them (inside cert/ alone). */
#ifndef SG_CERT_CRL_CACHE_H
#define SG_CERT_CRL_CACHE_H

#include "cert/cert_internal.h"
#include "common/watch.h"

#define SG_CRL_BUCKETS 257

struct sg_crl_entry {
    struct sg_crl_entry *next;
    char *url;
    X509 *issuer;
    uint8_t issuer_id[SG_SHA256];
    struct sg_crl *crl; /* NULL: none was to be had yet */
    bool storage_asked;
    /* An accredited CA vouches for the address: it may lie in any network, and the list is stored.
     * What a domain's own root alone vouches for takes nothing from these: neither their place in
     * memory nor their turn to be renewed. */
    bool accredited;
    bool busy;        /* somebody fetches it, and the lock is not held meanwhile */
    int users;        /* threads that are at it: it is not dropped */
    int failures;     /* in a row */
    int64_t used_ms;  /* monotonic: when a certificate was last judged by it */
    int64_t next_ms;  /* monotonic: the thread does not ask again before; 0: nobody has asked */
    int64_t fresh_ms; /* monotonic: asked for again from then on; 0: by `ahead` alone */
    sg_time ahead;    /* renewed from then on, before its nextUpdate */
    char why[SG_CERT_WHY]; /* what the last attempt came to, "" for success */
};

struct sg_crl_cache {
    pthread_mutex_t lock;
    pthread_cond_t done; /* some entry is no longer busy */
    pthread_cond_t wake; /* the renewing thread is to end */
    pthread_t thread;
    struct sg_watch watch;
    bool running;
    atomic_bool stop;    /* fetches are broken off */
    size_t count, bytes; /* entries; what their lists take */
    size_t fetches;      /* since the start */
    size_t further;      /* threads that wait for what no accredited CA vouches for */
    struct sg_crl_entry *buckets[SG_CRL_BUCKETS];
};

/* crl_cache.c; all under the lock */
bool sg_crl_entry_current(const struct sg_crl_entry *entry, sg_time now);
/* Takes the entry out and frees it. */
void sg_crl_entry_drop(struct sg_crl_cache *cache, struct sg_crl_entry *entry);
/* Puts a list in the place of the entry's, and makes room for it. */
void sg_crl_entry_put(struct sg_certs *certs, struct sg_crl_entry *entry, struct sg_crl *crl);

/* crl_fetch.c: storage once, then the network, into an entry that is busy. Without the lock. */
void sg_crl_entry_fetch(struct sg_certs *certs, struct sg_crl_entry *entry, sg_time now);

/* crl_renew.c */
void sg_crl_renewal_start(struct sg_certs *certs);
void sg_crl_renewal_stop(struct sg_certs *certs);
/* Under the lock, when an attempt has ended: when is the next? good: a list came that is newer, or
 * the same and current. */
void sg_crl_renewal_plan(const struct sg_certs *certs, struct sg_crl_entry *entry, bool good,
                         sg_time now);

#endif
