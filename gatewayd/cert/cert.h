/*
 * Certificates: chains to accredited roots and those of a domain's own (REQ-180), naming (REQ-46,
 * 47), revocation lists (REQ-39, 40, 49), discovery by LDAP (REQ-43, 53). Every failure of REQ-36
 * is told apart.
 */
#ifndef SG_CERT_CERT_H
#define SG_CERT_CERT_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"

#include <openssl/x509.h>

enum sg_cert_status {
    SG_CERT_VALID,
    SG_CERT_REVOKED,        /* 101/111: or suspended (certificateHold) */
    SG_CERT_UNTRUSTED,      /* 102/112: no chain to a trusted root */
    SG_CERT_EXPIRED,        /* 103/113 */
    SG_CERT_STATUS_UNKNOWN, /* 104/114: no usable CRL */
    SG_CERT_NOT_YET_VALID,  /* 105/115 */
    SG_CERT_MISMATCH,       /* 002: names another domain, or no address (REQ-47, 48) */
    SG_CERT_UNSUITABLE      /* key usage, key size, digest: not for this use */
};

enum sg_cert_use {
    SG_CERT_SIGN,
    SG_CERT_ENCRYPT,
    SG_CERT_ENCRYPT_WEAK /* RSA from 1024 bits on and SHA-1 will do too (REQ-24) */
};

/* Of a certificate, for the trace; strings live in the arena. */
struct sg_cert_facts {
    enum sg_cert_status status;
    const char *detail; /* a sentence for an operator: "expired 3 days ago, on …" */
    const char *subject, *issuer, *serial, *sha256; /* RFC 2253 names, lower-case hexadecimal */
    const char *address; /* the rfc822Name or emailAddress that matched, or the first there is */
    bool bypassed;       /* valid although nobody knows whether it is revoked (REQ-59) */
    bool own_root;       /* valid by a root of the relying domain's own alone (REQ-180) */
};

struct sg_cert_limits {
    size_t max_certificates; /* looked at per message */
    size_t max_crl_bytes;    /* of one list, as it is fetched */
    int64_t crl_timeout_ms;  /* to fetch one */
    int64_t crl_total_ms;    /* of one judgement, or all of a discovery: none is asked for after it;
                                0: 20 s */
    int64_t crl_grace_ms;    /* REQ-40: 7 days; unless our domain chose another */
    int64_t ldap_timeout_ms; /* 3 s */
    int64_t clock_tolerance_ms;
    bool further_private;   /* lists of CAs below a domain's own root may lie in private networks */
    size_t max_crl_memory;  /* of all lists that are at hand; 0: 256 MiB */
    int64_t crl_refresh_ms; /* lists in use are asked for again so often; 0: ahead of their end */
    size_t verdicts;        /* so many chains that were good are remembered; 0: none */
    int64_t verdict_ttl_ms; /* for so long; 0: not at all */
    size_t harvested;       /* so many of mail are remembered, not to be stored again; 0: none */
    int64_t kept_ms;        /* anchors and directories are read again so often, flushed or not; 0:
                               each time */
    size_t max_points;      /* distribution points of one certificate that are asked; 0: 8 */
    size_t max_redirections;      /* within the host of a list */
    size_t max_further_fetches;   /* lists below domains' own roots, at the same time; 0: 8 */
    size_t max_directory_values;  /* certificates of one answer of a directory; 0: 32 */
    size_t max_directory_bytes;   /* of one answer; 0: 1 MiB */
    int directory_slots;          /* questions to one directory at the same time */
    size_t directory_waiting;     /* … that may wait for one of them */
    int64_t directory_pause_ms;   /* one that failed some times in a row is left alone so long */
    int64_t directory_refused_ms; /* … and one that refused our bind: accounts get locked */
    int64_t directory_more_ms;    /* once one has brought something, the others have so long more */
    size_t max_lists;             /* that are at hand or known to be away */
    int64_t crl_retry_ms;        /* one that was away is asked for again; longer after many times */
    const char *credentials_dir; /* passwords of directories; NULL, "": systemd's */
};

/* The PostgreSQL side, so that this folder's logic can be tested alone. All in the arena. */
struct sg_cert_der_list {
    struct sg_bytes *items;
    bool *waits; /* each, for an administrator to approve of it; NULL: none does */
    size_t count;
};
struct sg_cert_directory {
    const char *url, *base_dn, *ca_pem;
    /* REQ-58: of one CA (DER) alone: asked in the place of certificates below it that have lapsed.
     * Empty: of all. */
    struct sg_bytes anchor;
    const char *filter;    /* "{address}" in it is what is looked for; "" or NULL: by mail */
    const char *attribute; /* "" or NULL: userCertificate */
    /* Who asks, and the name of his password's file in credentials_dir; "" or NULL: nobody. */
    const char *bind_dn, *credential;
};
struct sg_cert_partner {
    const char *domain;
    struct sg_bytes der;
    const char *source; /* "ldap", "mail" */
    const char *origin; /* which directory, which message */
    sg_time not_before, not_after, now;
    bool authority;      /* a CA's, above one of the domain's */
    bool approval;       /* if it is not known yet: for an administrator to approve of (REQ-54) */
    bool ask;            /* … if it is another than the domain's first (REQ-83) */
    const char *relying; /* id of the domain whose own root alone vouches for it; NULL: for all */
    bool dry;            /* *usable_r alone: nothing is changed */
};
/* A partner has another certificate than the one that is stored (REQ-83). */
enum sg_cert_change {
    SG_CERT_REPLACE, /* the newest valid one is used */
    SG_CERT_PIN,     /* the one that is known longest stays in use until it has lapsed */
    SG_CERT_ASK      /* the other one waits for an administrator to approve of it */
};
struct sg_cert_stored {
    const char *domain;
    bool correspondent; /* none, unless one of them came with its mail or was added by hand */
    bool approval;      /* what nobody has approved of waits */
    enum sg_cert_change change;
    const char *relying; /* what is stored for this domain alone too; NULL: nobody's */
    sg_time now;
};
/* What a domain of ours has chosen about revocation lists. */
struct sg_cert_choice {
    sg_time crl_grace;        /* REQ-40; below 0: that of the limits */
    sg_time crl_bypass_until; /* REQ-59; 0: none */
};
/* Checking of one certificate is bypassed (REQ-59). */
struct sg_cert_bypass {
    sg_time until; /* 0: it is not */
    const char *reason;
};
struct sg_cert_storage {
    void *ctx;
    bool (*anchors)(void *ctx, struct sg_arena *arena, struct sg_cert_der_list *list_r,
                    struct sg_error *err);
    /* Further roots of a domain (REQ-180), by its id. */
    bool (*domain_anchors)(void *ctx, struct sg_arena *arena, const char *domain_id,
                           struct sg_cert_der_list *list_r, struct sg_error *err);
    bool (*directories)(void *ctx, struct sg_arena *arena, struct sg_cert_directory **list_r,
                        size_t *count_r, struct sg_error *err);
    /* Certificates known for a partner domain, in the order in which they are to be tried; before
     * them those of the CAs above them, which are stored under the same domain. */
    bool (*partner_find)(void *ctx, struct sg_arena *arena, const struct sg_cert_stored *wanted,
                         struct sg_cert_der_list *list_r, struct sg_error *err);
    /* *usable_r: not refused by an administrator, nor waiting for one where he is to be asked, nor
     * revoked here meanwhile. *waits_r: it has begun to wait. */
    bool (*partner_store)(void *ctx, const struct sg_cert_partner *partner, bool *usable_r,
                          bool *waits_r, struct sg_error *err);
    /* Is it of a domain of ours, which has had it revoked? Asked each time that a certificate is
     * found good, from memory too: what it answers counts at once. */
    bool (*revoked_here)(void *ctx, const uint8_t sha256[32], bool *revoked_r,
                         struct sg_error *err);
    /* found_r false: none is stored. */
    bool (*crl_find)(void *ctx, struct sg_arena *arena, const char *url, struct sg_bytes *der_r,
                     bool *found_r, struct sg_error *err);
    bool (*crl_store)(void *ctx, const char *url, struct sg_bytes der, sg_time this_update,
                      sg_time next_update, sg_time now, struct sg_error *err);
    /* Those that ended, and were fetched, before then. */
    bool (*crl_forget)(void *ctx, sg_time before, struct sg_error *err);
    /* Asked only about a certificate whose status is not known. */
    bool (*domain_choice)(void *ctx, struct sg_arena *arena, const char *domain_id,
                          struct sg_cert_choice *choice_r, struct sg_error *err);
    bool (*crl_bypass)(void *ctx, struct sg_arena *arena, const uint8_t sha256[32], sg_time now,
                       struct sg_cert_bypass *bypass_r, struct sg_error *err);
};

struct sg_certs;

struct sg_certs *sg_certs_new(const struct sg_cert_limits *limits,
                              const struct sg_cert_storage *storage);
void sg_certs_free(struct sg_certs **certs);
/* How things stand outside: for figures. */
struct sg_certs_state {
    size_t directories, directories_away; /* known since the last flush; whose circuit is open */
    size_t crls, crls_expired;            /* revocation lists at hand; past their nextUpdate */
    size_t crls_failing;                  /* that could not be fetched at the last attempt */
    size_t crl_bytes;                     /* that lists take in memory */
    size_t crl_fetches;                   /* since the start */
};
void sg_certs_state(struct sg_certs *certs, sg_time now, struct sg_certs_state *state_r);
/* Drops what is cached of anchors, directories and chains: configuration changed, or reconnect.
 * Where nobody says so it is found out after kept_ms. */
void sg_certs_flush(struct sg_certs *certs);

struct sg_cert_question {
    X509 *certificate;
    STACK_OF(X509) *untrusted; /* may help to build the chain; may be NULL */
    enum sg_cert_use use;
    const char *domain;  /* that it must name; NULL where none is claimed */
    const char *relying; /* id of the domain of ours whose further roots count; NULL: none do */
    const char *ours;    /* … whose choices about revocation lists count; NULL: the platform's */
    const struct sg_bytes *lists; /* revocation lists that came along, as they came */
    size_t list_count;
    int64_t lists_until_ms; /* monotonic: no other is asked for from then on; 0: by crl_total_ms */
    sg_time now;
};
/*
 * Judges a certificate for a use and a domain at a time. CA certificates in the directories may
 * help to build the chain too. false only where the question could not be asked (database away); a
 * CRL or directory that is away is a status, not an error. Where several things are wrong the
 * status is the first of: untrusted, unsuitable, not yet valid, expired, mismatch, revoked, status
 * unknown. May wait for a CRL, crl_timeout_ms at most per distribution point.
 */
SG_MUST_USE bool sg_cert_check(struct sg_certs *certs, struct sg_arena *arena,
                               const struct sg_cert_question *question,
                               struct sg_cert_facts *facts_r, struct sg_error *err);

/* One candidate that was looked at in a discovery, for explain. */
struct sg_cert_candidate {
    struct sg_cert_facts facts;
    const char *source; /* "store", "ldap://…" */
};
struct sg_cert_found {
    X509 *certificate; /* NULL: none is valid; to be freed with X509_free() */
    enum sg_cert_status
        status;           /* the best that was seen when none is valid; UNTRUSTED for nothing */
    bool any;             /* a candidate was seen at all */
    bool awaits_approval; /* a good one is there that an administrator has not approved of */
    struct sg_cert_candidate *candidates;
    size_t candidate_count;
    const char *detail; /* a sentence: what was asked and what came of it */
};
struct sg_cert_wanted {
    const char *domain;
    const char *relying; /* as in a question */
    sg_time now;
    bool correspondent; /* of the store alone: who seals to us, or was added by hand (REQ-72) */
    bool dry;           /* a question that is to change nothing: nothing is stored */
    bool approval;      /* what is met for the first time waits for an administrator (REQ-54) */
    bool weak;          /* where there is nothing better, one that is weak will do (REQ-24) */
    enum sg_cert_change change;
};
/*
 * The partner domain's certificate to encrypt to: from the store, then by LDAP (base of the source,
 * (mail=domain-confidentiality-authority@domain), userCertificate); what LDAP brings and is valid
 * goes to the store. The newest valid one wins, unless change says otherwise; one that an
 * administrator refused never does, and one below a root of the relying domain's own only where
 * there is none below an accredited one. A weak one is taken where neither the store nor a
 * directory has a better one, and is asked about for every mail. What one
 * domain's own root alone vouches for is stored for that domain alone.
 */
SG_MUST_USE bool sg_cert_discover(struct sg_certs *certs, struct sg_arena *arena,
                                  const struct sg_cert_wanted *wanted,
                                  struct sg_cert_found *found_r, struct sg_error *err);

struct sg_cert_harvested {
    bool good;   /* it is one to encrypt to for that domain, by the accredited roots */
    bool kept;   /* it was stored; false also where it was a short while ago */
    bool usable; /* kept, or dry: neither refused nor waiting */
    bool waits;  /* kept: and has begun to wait for an administrator */
};
/*
 * Stores a certificate that a good signature came with (REQ-50), if it is one to encrypt to for
 * wanted->domain by all that a discovery asks. untrusted (may be NULL) may help to build the chain.
 * From memory alone where it was asked a short while ago. dry: it is not stored, and whether it is
 * usable is told all the same.
 */
SG_MUST_USE bool sg_cert_harvest(struct sg_certs *certs, struct sg_arena *arena, X509 *certificate,
                                 STACK_OF(X509) *untrusted, const struct sg_cert_wanted *wanted,
                                 const char *origin, struct sg_cert_harvested *harvested_r,
                                 struct sg_error *err);

/*
 * REQ-82: certificates of a domain among which may be that of a signature which came without it.
 * Nothing of them is judged. None is no error; a directory that is away is said in the detail.
 */
struct sg_cert_signers {
    STACK_OF(X509) *certificates; /* to be freed with sk_X509_pop_free(, X509_free); never NULL */
    const char *detail;           /* a sentence: what was asked and what came of it */
};
SG_MUST_USE bool sg_cert_signers_stored(struct sg_certs *certs, struct sg_arena *arena,
                                        const char *domain, const char *relying,
                                        struct sg_cert_signers *signers_r, struct sg_error *err);
/* All directories at once: may take ldap_timeout_ms. */
SG_MUST_USE bool sg_cert_signers_published(struct sg_certs *certs, struct sg_arena *arena,
                                           const char *domain, struct sg_cert_signers *signers_r,
                                           struct sg_error *err);

/* RFC 3183 §4.1 naming: CN=domain-confidentiality-authority (or -signing-authority), or an
 * address with that local part. */
bool sg_cert_is_domain_authority(const X509 *certificate);
/* Does an rfc822Name or emailAddress of it name this domain exactly (REQ-47)? NULs and white space
 * never match. */
bool sg_cert_names_domain(const X509 *certificate, const char *domain);
/* Is it that domain's authority: does an address with an authority's local part name it (REQ-46)?
 * One of another domain that has a person's address there as well is not. */
bool sg_cert_speaks_for(const X509 *certificate, const char *domain);
/* … of all of them? Its addresses are read once. Of none: no. */
bool sg_cert_speaks_for_all(const X509 *certificate, const char *const *domains, size_t count);
/* Whose confidentiality authority it says that it is, of several the first: in lower case, and a
 * domain by its form. NULL: nobody's. */
const char *sg_cert_authority_of(struct sg_arena *arena, const X509 *certificate);

const char *sg_cert_status_name(enum sg_cert_status status); /* "expired" */

#endif
