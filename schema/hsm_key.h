/* Key pairs in the HSM, by their row; what tenantd's jobs need of them. */
#ifndef SG_SCHEMA_HSM_KEY_H
#define SG_SCHEMA_HSM_KEY_H

#include "schema/db.h"

struct sg_hsm_key_row {
    const char *id, *tenant_id, *domain_id;
    const char *kind;      /* "token", "wrapped" */
    const char *algorithm; /* "rsa-2048", "ec-p256", … */
    const char *state; /* "pending", "active", "retired", "compromised", "failed", "destroyed" */
    struct sg_bytes spki, blob;
    const char *domain_name, *tenant_name;
    struct sg_bytes csr; /* empty: none yet */
    sg_time created_at;
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
/* A key pair that is yet to be made, in state "pending". */
SG_MUST_USE bool sg_hsm_key_insert(struct sg_tx *tx, const char *id, const char *tenant_id,
                                   const char *domain_id, const char *kind, const char *algorithm,
                                   struct sg_error *err);
/*
 * REQ-189: keys in use and compromised ones with which nothing that is still under way is opened
 * become retired: each of their certificates has ended grace_ms ago, or they never had one and the
 * domain went on to another.
 */
SG_MUST_USE bool sg_hsm_key_retire(struct sg_tx *tx, int64_t grace_ms, int *count_r,
                                   struct sg_error *err);
/* Up to limit keys to be destroyed: what failed on its way, and what was retired at retired_before
 * or earlier (0: none of those); behind after. */
struct sg_pair;
SG_MUST_USE bool sg_hsm_key_destroyable(struct sg_db *db, struct sg_arena *arena,
                                        sg_time retired_before, const char *after, int limit,
                                        struct sg_pair **pairs_r, size_t *count_r,
                                        struct sg_error *err);
/* failed or retired → destroyed; the wrapped private key is gone with it. */
SG_MUST_USE bool sg_hsm_key_destroyed(struct sg_tx *tx, const char *id, struct sg_error *err);
SG_MUST_USE bool sg_hsm_key_set_csr(struct sg_tx *tx, const char *id, struct sg_bytes csr,
                                    struct sg_error *err);

#endif
