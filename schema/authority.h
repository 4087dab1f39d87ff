/* Certification authorities: who issues for which domain, and how it is reached. */
#ifndef SG_SCHEMA_AUTHORITY_H
#define SG_SCHEMA_AUTHORITY_H

#include "schema/db.h"

struct sg_authority_row {
    const char *id, *name;
    const char *method; /* "est", "manual" */
    const char *est_url, *tls_ca_pem;
    const char *authentication; /* "none", "password", "certificate" */
    const char *account;
    const char *credential; /* name of the file, or of the two, in the credentials directory */
    int64_t renewal_lead_days;
    const char *key_algorithm, *key_kind; /* "rsa-2048", …; "token", "wrapped" */
    const char *revocation_url;           /* "": by hand */
    const char *directory_url;            /* NULL: publication is not looked at */
    const char *directory_base_dn, *directory_ca_pem, *directory_bind_dn, *directory_credential;
};

/* The domain's own, else its tenant's, else the default. */
SG_MUST_USE bool sg_authority_of_domain(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *domain_id, struct sg_authority_row *row_r,
                                        bool *found_r, struct sg_error *err);
SG_MUST_USE bool sg_authority_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                                   struct sg_authority_row *row_r, bool *found_r,
                                   struct sg_error *err);

#endif
