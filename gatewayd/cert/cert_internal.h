/* What the files of this folder share. Each part below is the file of that name. */
#ifndef SG_CERT_INTERNAL_H
#define SG_CERT_INTERNAL_H

#include "cert/cert.h"
#include "common/buf.h"
#include "common/deadline.h"
#include "common/wait.h"
#include "ldapclient/client.h"
#include "x509/x509.h"

#include <pthread.h>
#include <stdatomic.h>

#define SG_CERT_WHY 400 /* room for a sentence */
#define SG_SHA256   32

struct sg_crl_cache;
struct sg_verdicts;
struct sg_directories;
struct sg_memo;

struct sg_certs {
    struct sg_cert_limits limits;
    struct sg_cert_storage storage;
    struct sg_crl_cache *crls;
    struct sg_verdicts *verdicts;
    struct sg_directories *directories;
    struct sg_memo *harvested;
    pthread_mutex_t lock;   /* of what follows */
    uint64_t generation;    /* counts flushes: what was loaded before one is not kept after it */
    X509_STORE *anchors;    /* NULL: to be loaded */
    struct sg_arena *arena; /* of the list that they are of */
    struct sg_cert_der_list anchors_der;
    _Atomic sg_deadline anchors_until; /* they serve; looked at without the lock too */
    STACK_OF(X509) *issuers;           /* CA certificates that were found to lead to an anchor */
};

static inline void sg_x509_stack_cleanup(STACK_OF(X509) **stack)
{
    sk_X509_pop_free(*stack, X509_free);
}
#define SG_AUTO_CHAIN __attribute__((cleanup(sg_x509_stack_cleanup))) STACK_OF(X509) *
static inline void sg_x509_cleanup(X509 **x)
{
    X509_free(*x);
}
#define SG_AUTO_X509 __attribute__((cleanup(sg_x509_cleanup))) X509 *
/* certs.c */
/* The anchors as a store of its own reference. false: storage failed. */
SG_MUST_USE bool sg_certs_anchors(struct sg_certs *certs, X509_STORE **store_r,
                                  struct sg_error *err);
/* Before a verdict is looked for: are the anchors that it is of as old as may be, they are read
 * again, and verdicts are flushed where these are others now. false: storage failed. */
SG_MUST_USE bool sg_certs_renew(struct sg_certs *certs, struct sg_error *err);
/* A domain's further roots alone, from storage each time; NULL where it has none. */
SG_MUST_USE bool sg_certs_domain_anchors(struct sg_certs *certs, const char *domain_id,
                                         X509_STORE **store_r, struct sg_error *err);
/* Adds to the stack, with references of their own, the issuers that are known. */
void sg_certs_issuers_get(struct sg_certs *certs, STACK_OF(X509) *stack);
void sg_certs_issuers_add(struct sg_certs *certs, X509 *issuer);
/* Of a certificate's distribution points so many are looked at. */
size_t sg_certs_points_most(const struct sg_certs *certs);
bool sg_asn1_time(const ASN1_TIME *asn1, sg_time *time_r);

/* naming.c */
/* Calls each for every mail address that is well-formed, until it returns false. */
void sg_naming_addresses(const X509 *certificate, bool (*each)(void *ctx, struct sg_bytes address),
                         void *ctx);
/* Is domain-confidentiality-authority@domain one of its addresses? */
bool sg_naming_is_dca_of(const X509 *certificate, const char *domain);
bool sg_domain_valid(struct sg_bytes domain);

/* facts.c */
/* What a discovery chose, and why not the others. */
const char *sg_facts_conclusion(struct sg_arena *arena, const struct sg_cert_found *found);
void sg_facts_fill(struct sg_arena *arena, X509 *certificate, const char *domain,
                   struct sg_cert_facts *facts_r);
const char *sg_facts_name(struct sg_arena *arena, const X509_NAME *name);
/* "2026-11-23T04:05:06Z" */
const char *sg_facts_time(struct sg_arena *arena, sg_time time);
const char *sg_facts_date(sg_time time, char text[SG_TIME_TEXT]);
/* "3 days" */
const char *sg_facts_span(sg_time span, char text[SG_TIME_TEXT]);

/* suitability.c: our own policy, whatever OpenSSL accepts */
/* false: why says why not. true: why says what of it is weak, or is empty. */
bool sg_suitable_leaf(X509 *leaf, enum sg_cert_use use, char why[SG_CERT_WHY]);
/* issuer is a CA of the chain; its own signature is looked at unless it is the anchor. */
bool sg_suitable_issuer(X509 *issuer, bool anchor, char why[SG_CERT_WHY]);
bool sg_suitable_crl_algorithm(const X509_ALGOR *algorithm);

/* chain.c */
struct sg_chain {
    enum sg_cert_status status; /* VALID, UNTRUSTED, EXPIRED or NOT_YET_VALID */
    bool issuer_missing;        /* UNTRUSTED because a CA certificate was not to be had */
    bool further;               /* it ends at a root of the relying domain's own */
    STACK_OF(X509) *chain;      /* leaf first, anchor last; NULL when UNTRUSTED */
    char why[SG_CERT_WHY];
};
static inline void sg_chain_cleanup(struct sg_chain *chain)
{
    sk_X509_pop_free(chain->chain, X509_free);
}
#define SG_AUTO_PATH __attribute__((cleanup(sg_chain_cleanup))) struct sg_chain
/* All of untrusted is looked at: who calls bounds it. The relying domain's roots are asked only
 * where no chain leads to an accredited one. */
SG_MUST_USE bool sg_chain_build(struct sg_certs *certs, const struct sg_cert_question *question,
                                struct sg_chain *chain_r, struct sg_error *err);

/* crl.c, crl_read.c: one revocation list */
struct sg_crl;
struct sg_crl_times {
    sg_time this_update, next_update;
};
/* DER of one whole list, all of it understood and saying how long it holds; NULL and why
 * otherwise. issuer NULL: whose it is is not asked. */
struct sg_crl *sg_crl_read(struct sg_bytes der, X509 *issuer, char why[SG_CERT_WHY]);
/* PEM becomes the DER that is in it; everything else stays as it is. */
void sg_crl_unwrap(struct sg_buf *data);
struct sg_crl *sg_crl_hold(struct sg_crl *crl); /* a further reference, of NULL too */
void sg_crl_free(struct sg_crl **crl);
const struct sg_crl_times *sg_crl_times_of(const struct sg_crl *crl);
size_t sg_crl_bytes(const struct sg_crl *crl); /* what it takes in memory */
bool sg_crl_same_entries(const struct sg_crl *a, const struct sg_crl *b);
/* Does it speak of certificates like this one, named by this distribution point? */
bool sg_crl_covers(const struct sg_crl *crl, const X509 *certificate, const DIST_POINT *point,
                   char why[SG_CERT_WHY]);
/* true: on the list, why says since when and for what reason. */
bool sg_crl_lists(const struct sg_crl *crl, const X509 *certificate, char why[SG_CERT_WHY]);

/* crl_points.c: the lists that a certificate names */
enum sg_crl_mode {
    SG_CRL_CACHED,
    SG_CRL_FETCH_FURTHER, /* a domain's own root alone vouches for it */
    SG_CRL_FETCH
};
enum sg_revocation { SG_NOT_REVOKED, SG_REVOKED, SG_REVOCATION_UNKNOWN };
struct sg_revocation_facts {
    enum sg_revocation answer;
    bool has_points;               /* it names distribution points at all */
    bool lapsed;                   /* the list that answered has ended: within grace */
    bool carried;                  /* it came with what is judged */
    sg_time good_from, good_until; /* of the list that answered */
    char why[3 * SG_CERT_WHY];     /* what came of each point */
};
#define SG_CRL_FOREVER (100000 * SG_DAY)
struct sg_crl_ask {
    enum sg_crl_mode mode;
    sg_time now;
    sg_deadline until; /* from then on no list is asked for any more; 0 with SG_CRL_CACHED */
};
/* By lists that are current, SG_CRL_CACHED by those at hand. grace: and by those at hand that ended
 * no longer ago. */
void sg_revocation_check(struct sg_certs *certs, X509 *certificate, X509 *issuer,
                         const struct sg_crl_ask *ask, sg_time grace,
                         struct sg_revocation_facts *facts_r);

/* crl_carried.c: what the lists that came along say of the chain's certificate at that place,
 * beside what is known */
void sg_revocation_carried(struct sg_certs *certs, const struct sg_cert_question *question,
                           STACK_OF(X509) *chain, int at, struct sg_revocation_facts *facts);

/* crl_cache.c */
struct sg_crl_got {
    struct sg_crl *crl;    /* a reference of the caller's, NULL for none */
    char why[SG_CERT_WHY]; /* what the last attempt to fetch it came to, "" for success */
};
struct sg_crl_cache *sg_crl_cache_new(void);
void sg_crl_cache_free(struct sg_crl_cache **cache);
void sg_crl_get(struct sg_certs *certs, const char *url, X509 *issuer, const struct sg_crl_ask *ask,
                struct sg_crl_got *got_r);
void sg_crl_cache_state(struct sg_crl_cache *cache, sg_time now, struct sg_certs_state *state);

/* fetch.c */
void sg_fetch_init(void); /* of the libraries, once a process */
bool sg_fetch_url_allowed(const char *url);
struct sg_fetch_limits {
    size_t max_bytes, max_redirections;
    sg_deadline deadline;
    bool public_only;        /* no address of a private network */
    const atomic_bool *stop; /* true: it is broken off */
};
/* http(s):// and ldap(s)://. Takes no longer than its deadline, but for the DNS. */
SG_MUST_USE bool sg_fetch_now(const char *url, const struct sg_fetch_limits *limits,
                              struct sg_buf *body, struct sg_error *err);
/* fetch_apart.c: the same, and never longer (by a moment): what still waits for the DNS is left. */
SG_MUST_USE bool sg_fetch(const char *url, const struct sg_fetch_limits *limits,
                          struct sg_buf *body, struct sg_error *err);

/* directories.c: those that are configured */
struct sg_directory;
struct sg_directories *sg_directories_new(const struct sg_cert_limits *limits);
void sg_directories_free(struct sg_directories **directories);
void sg_directories_flush(struct sg_directories *directories);
void sg_directories_state(struct sg_directories *directories, struct sg_certs_state *state);
/* Takes references; give them back with sg_directory_put(). */
SG_MUST_USE bool sg_directories_get(struct sg_certs *certs, struct sg_arena *arena,
                                    struct sg_directory ***list_r, size_t *count_r,
                                    struct sg_error *err);
/* One that was closed has been freed. */
void sg_directories_gone(struct sg_directories *directories);

/* directory.c: threads, queue and circuit breaker of one directory */
enum sg_directory_question {
    SG_ASK_DOMAIN,
    SG_ASK_SIGNERS, /* … and its signing authority's (RFC 3183 section 4.1) */
    SG_ASK_AUTHORITIES
};
struct sg_directory *sg_directory_new(struct sg_directories *all,
                                      const struct sg_cert_limits *limits,
                                      const struct sg_cert_directory *source);
void sg_directory_close(struct sg_directory *directory); /* gives the first reference back */
void sg_directory_hold(struct sg_directory *directory);
void sg_directory_put(struct sg_directory *directory);
bool sg_directory_is(const struct sg_directory *directory, const struct sg_cert_directory *source);
bool sg_directory_away(struct sg_directory *directory); /* its circuit is open */
const char *sg_directory_url(const struct sg_directory *directory);
/* NULL: it is of no CA alone. */
X509 *sg_directory_anchor(const struct sg_directory *directory);
/* Whose certificates? of domain, or those of the CAs; to several at once (lookup.c): begin, be
 * signalled of what is done, and take that, or leave the job to its thread. A gathering outlives
 * its jobs' ends alone by sg_directory_leave().
 */
struct sg_directory_job;
struct sg_gathering {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t done;
};
SG_MUST_USE struct sg_directory_job *sg_directory_begin(struct sg_directory *directory,
                                                        enum sg_directory_question question,
                                                        const char *domain, sg_deadline deadline,
                                                        struct sg_gathering *gathering,
                                                        struct sg_error *err);
/* *done_r false: not yet. Else the job is gone, and this is how it went. */
SG_MUST_USE bool sg_directory_take(struct sg_directory *directory, struct sg_directory_job *job,
                                   struct sg_arena *arena, struct sg_ldap_values *values_r,
                                   bool *done_r, struct sg_error *err);
/* Nobody waits for it any more; err says what is known of it. */
void sg_directory_leave(struct sg_directory *directory, struct sg_directory_job *job,
                        struct sg_error *err);

/* lookup.c: one question to many directories at the same time (REQ-43, 58) */
struct sg_lookup {
    struct sg_directory *directory; /* set by the caller */
    bool ok;
    struct sg_ldap_values values; /* in the arena */
    struct sg_error err;          /* not ok: why */
};
/*
 * Takes as long as the slowest, and ldap_timeout_ms at most; where one has brought certificates,
 * the others are waited for directory_more_ms only: one that hangs costs nobody its time-out.
 */
void sg_lookup_all(struct sg_lookup *list, size_t count, enum sg_directory_question question,
                   const char *domain, const struct sg_cert_limits *limits, struct sg_arena *arena);

/* The CA certificates of the directory, as of a minute ago at most: one lookup for all who want
 * them, and after one that failed none for a moment. Never takes longer than timeout_ms. Views into
 * the arena. */
SG_MUST_USE bool sg_directory_authorities(struct sg_directory *directory, int64_t timeout_ms,
                                          struct sg_arena *arena, struct sg_ldap_values *values_r,
                                          struct sg_error *err);

/* authorities.c: CA certificates out of directories. true: some came. */
bool sg_is_authority(X509 *x);
SG_MUST_USE bool sg_authorities_add(struct sg_certs *certs, struct sg_directory *directory,
                                    struct sg_arena *arena, STACK_OF(X509) *issuers);
/* Is the certificate below this CA, whatever the time and its revocation? */
bool sg_authority_above(struct sg_certs *certs, X509 *anchor, X509 *certificate,
                        STACK_OF(X509) *issuers);
/* Of all that are configured; one that is away brings none. false: storage failed. */
SG_MUST_USE bool sg_authorities_add_all(struct sg_certs *certs, struct sg_arena *arena,
                                        STACK_OF(X509) *issuers, bool *came_r,
                                        struct sg_error *err);

/* verdicts.c: certificates that were good a moment ago */
struct sg_verdict_key {
    uint8_t sha256[SG_SHA256];
    enum sg_cert_use use;
    const char *domain;  /* "" for none */
    const char *relying; /* the domain whose own root it needed; "": an accredited one, for all */
};
/* Room for so many at most, for so long each; 0 of either: none is kept. */
struct sg_verdicts *sg_verdicts_new(size_t room, int64_t ttl_ms);
void sg_verdicts_free(struct sg_verdicts **verdicts);
void sg_verdicts_flush(struct sg_verdicts *verdicts);
/* Counts flushes: a verdict that was begun before one is not kept after it. */
uint64_t sg_verdicts_generation(struct sg_verdicts *verdicts);
/* true: valid, with what was said of it then; own_root where it was so for one relying domain. */
bool sg_verdicts_find(struct sg_verdicts *verdicts, const struct sg_verdict_key *key, sg_time now,
                      struct sg_arena *arena, struct sg_cert_facts *facts_r);
void sg_verdicts_add(struct sg_verdicts *verdicts, const struct sg_verdict_key *key,
                     uint64_t generation, sg_time good_from, sg_time good_until,
                     const struct sg_cert_facts *facts);

/* check.c */
/* As sg_cert_check(); tells also whether a CA certificate was missing, and gives the chain that
 * was good. chain_r NULL: none is asked for, and a verdict of a moment ago, which has none, will
 * do.
 */
SG_MUST_USE bool sg_check(struct sg_certs *certs, struct sg_arena *arena,
                          const struct sg_cert_question *question, struct sg_cert_facts *facts_r,
                          bool *issuer_missing_r, STACK_OF(X509) **chain_r, struct sg_error *err);

/* memo.c */
struct sg_memo *sg_memo_new(size_t room);
void sg_memo_free(struct sg_memo **memo);
void sg_memo_flush(struct sg_memo *memo);
void sg_memo_mark(const X509 *certificate, const struct sg_cert_wanted *wanted,
                  uint8_t mark[SG_SHA256]);
/* *good_r: what was put. */
bool sg_memo_has(struct sg_memo *memo, const uint8_t mark[SG_SHA256], sg_time now, bool *good_r);
void sg_memo_put(struct sg_memo *memo, const uint8_t mark[SG_SHA256], sg_time now, bool good);

#endif
