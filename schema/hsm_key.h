/* Key pairs in the HSM, by their row; what tenantd's jobs need of them. */
#ifndef SG_SCHEMA_HSM_KEY_H
#define SG_SCHEMA_HSM_KEY_H

#include "schema/db.h"

struct sg_hsm_key_row {
    const char *id, *tenant_id, *domain_id;
    const char *kind;      /* "token", "wrapped" */
    const char *algorithm; /* "rsa-2048", … */
    const char *state;     /* "pending", "active", "failed", "destroyed" */
    struct sg_bytes spki, blob;
    const char *domain_name, *tenant_name;
};

SG_MUST_USE bool sg_hsm_key_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                                 struct sg_hsm_key_row *row_r, bool *found_r, struct sg_error *err);
/* The active key of a domain with this public key. */
SG_MUST_USE bool sg_hsm_key_find_by_spki(struct sg_db *db, struct sg_arena *arena,
                                         const char *domain_id, struct sg_bytes spki,
                                         struct sg_hsm_key_row *row_r, bool *found_r,
                                         struct sg_error *err);
/* pending → active. SG_E_CONFLICT where it is not pending. */
SG_MUST_USE bool sg_hsm_key_activate(struct sg_tx *tx, const char *id, struct sg_bytes spki,
                                     struct sg_bytes blob, struct sg_error *err);
/* pending → failed. */
SG_MUST_USE bool sg_hsm_key_fail(struct sg_tx *tx, const char *id, struct sg_error *err);
SG_MUST_USE bool sg_hsm_key_set_csr(struct sg_tx *tx, const char *id, struct sg_bytes csr,
                                    struct sg_error *err);

#endif
