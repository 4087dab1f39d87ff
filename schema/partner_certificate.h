/* Certificates of partners' domains that were found and proved good. */
#ifndef SG_SCHEMA_PARTNER_CERTIFICATE_H
#define SG_SCHEMA_PARTNER_CERTIFICATE_H

#include "schema/db.h"

/* DER, newest first; not what an administrator refused or has yet to approve. correspondent: none,
 * unless one of them came with a mail or was added by hand. */
SG_MUST_USE bool sg_partner_certificate_find(struct sg_db *db, struct sg_arena *arena,
                                             const char *domain, bool correspondent,
                                             struct sg_bytes **ders_r, size_t *count_r,
                                             struct sg_error *err);

struct sg_partner_certificate {
    const char *domain;
    struct sg_bytes der;
    const char *source; /* "ldap", "mail", "api" */
    const char *origin; /* which directory, which message */
    sg_time not_before, not_after;
    sg_time fetched_at;
    bool pending; /* for an administrator to approve of, unless it is known already (REQ-54) */
};
/* Idempotent; a certificate that is there gets the new origin and fetched_at. *usable_r: it is
 * neither refused nor pending. */
SG_MUST_USE bool sg_partner_certificate_store(struct sg_db *db,
                                              const struct sg_partner_certificate *row,
                                              bool *usable_r, struct sg_error *err);

#endif
