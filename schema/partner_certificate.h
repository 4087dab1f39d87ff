/* Certificates of partners' domains that were found and proved good. */
#ifndef SG_SCHEMA_PARTNER_CERTIFICATE_H
#define SG_SCHEMA_PARTNER_CERTIFICATE_H

#include "schema/db.h"

struct sg_partner_query {
    const char *domain;
    bool correspondent; /* none, unless one of them came with a mail or was added by hand */
    bool approval;      /* everything waits for an administrator to approve of it (REQ-54) */
    bool ask;           /* … or a change does (REQ-83) */
    bool pin;           /* the one that is known longest and has not expired at first */
    const char
        *relying; /* id of the domain of ours that asks: what is for it alone too; NULL: none */
    sg_time now;
};
/* DER of all that was not refused, and whether each waits: those of CAs first, then the newest
 * first unless pin. */
SG_MUST_USE bool sg_partner_certificate_find(struct sg_db *db, struct sg_arena *arena,
                                             const struct sg_partner_query *query,
                                             struct sg_bytes **ders_r, bool **waits_r,
                                             size_t *count_r, struct sg_error *err);

struct sg_partner_certificate {
    const char *domain;
    struct sg_bytes der;
    const char *source; /* "ldap", "mail", "api" */
    const char *origin; /* which directory, which message */
    sg_time not_before, not_after;
    sg_time fetched_at;
    bool authority;      /* a CA's */
    bool approval;       /* an administrator has to approve of it, unless it is known (REQ-54) */
    bool ask;            /* … if it is another than the domain's first, unless he has (REQ-83) */
    const char *relying; /* id of the domain of ours for which alone it is stored; NULL: for all */
    bool dry;            /* the answer alone: nothing is changed */
};
/*
 * Idempotent; a certificate that is there gets the new origin and fetched_at. *usable_r: to who
 * stores it, it is of use: neither refused nor revoked, and not waiting where approval or ask is
 * set. *waits_r: it has begun to wait for an administrator; where that is for ask, an incident was
 * opened.
 */
SG_MUST_USE bool sg_partner_certificate_store(struct sg_db *db,
                                              const struct sg_partner_certificate *row,
                                              bool *usable_r, bool *waits_r, struct sg_error *err);

/* The key of that incident (incident.h), for who decides. */
#define SG_PARTNER_CHANGED_KEY "partner.changed %s" /* the id of the certificate */

#endif
