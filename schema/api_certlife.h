/* The life of certificates, as the REST API sees it: authorities, orders, compromises, revocations.
 */
#ifndef SG_SCHEMA_API_CERTLIFE_H
#define SG_SCHEMA_API_CERTLIFE_H

#include "schema/api_page.h"

struct sg_api_authority {
    struct sg_api_key key; /* created_at */
    const char *name, *method, *est_url, *tls_ca_pem, *authentication, *account, *credential;
    int64_t renewal_lead_days;
    const char *key_algorithm, *key_kind, *revocation_url;
    const char *directory_id; /* NULL: none */
    bool is_default;
    sg_time updated_at;
};

/* SG_E_CONFLICT: the name is taken, or another is the default. SG_E_INVALID: no such directory. */
SG_MUST_USE bool sg_api_authority_insert(struct sg_tx *tx, struct sg_arena *arena,
                                         const struct sg_api_authority *row,
                                         struct sg_api_authority *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_authority_update(struct sg_tx *tx, struct sg_arena *arena,
                                         const struct sg_api_authority *row,
                                         struct sg_api_authority *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_authority_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                       struct sg_api_authority *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_authority_list(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_api_page *page,
                                       struct sg_api_authority **rows_r, size_t *count_r,
                                       struct sg_error *err);
/* SG_E_INVALID: something uses it. */
SG_MUST_USE bool sg_api_authority_delete(struct sg_tx *tx, const char *id, struct sg_error *err);

/* Which one a tenant or, with domain_id, a domain has of its own; NULL: none. */
SG_MUST_USE bool sg_api_authority_use_find(struct sg_tx *tx, struct sg_arena *arena,
                                           const char *tenant_id, const char *domain_id,
                                           const char **authority_id_r, struct sg_error *err);
SG_MUST_USE bool sg_api_authority_use_set(struct sg_tx *tx, const char *tenant_id,
                                          const char *domain_id, const char *authority_id,
                                          struct sg_error *err);

struct sg_api_order {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *domain_id, *authority_id, *reason, *state, *cause, *explanation;
    const char *key_id, *certificate_id; /* certificate_id NULL: not yet */
    int64_t attempts, polls;
    sg_time next_at, updated_at, finished_at;
};
SG_MUST_USE bool sg_api_order_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const char *domain_id, const char *id,
                                   struct sg_api_order *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_order_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const char *domain_id, const struct sg_api_page *page,
                                   struct sg_api_order **rows_r, size_t *count_r,
                                   struct sg_error *err);
/* id NULL: the open one, if there is one. *cancelled_r: it was open. */
SG_MUST_USE bool sg_api_order_cancel(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const char *domain_id, const char *id,
                                     const char *cause, bool *cancelled_r, struct sg_error *err);

struct sg_api_compromise {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *domain_id, *reason, *state, *waits_for;
    const char *order_id, *certificate_id; /* NULL: not yet */
    sg_time ordered_at, installed_at, released_at, revoked_at, published_at, listed_at, removed_at;
    sg_time finished_at, updated_at;
};
/*
 * REQ-174: the domain's certificates are revoked here, its keys compromised, an order under way is
 * cancelled; a revocation for each certificate that has not ended, and the jobs that do the rest.
 * *id_r: of the new one, or of that which is under way.
 */
SG_MUST_USE bool sg_api_compromise_begin(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *tenant_id, const char *domain_id,
                                         const char *reason, const char **id_r,
                                         struct sg_error *err);
SG_MUST_USE bool sg_api_compromise_find(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *tenant_id, const char *domain_id,
                                        const char *id, struct sg_api_compromise *row_r,
                                        struct sg_error *err);
SG_MUST_USE bool sg_api_compromise_list(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *tenant_id, const char *domain_id,
                                        const struct sg_api_page *page,
                                        struct sg_api_compromise **rows_r, size_t *count_r,
                                        struct sg_error *err);

struct sg_api_revocation {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *domain_id, *certificate_id;
    const char *compromise_id; /* NULL: none */
    const char *reason, *state, *explanation;
    sg_time requested_at, listed_at, removed_at, updated_at;
};
/* Revokes it here, and has it revoked; *id_r: of the revocation, which may have been there. */
SG_MUST_USE bool sg_api_revocation_begin(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *tenant_id, const char *domain_id,
                                         const char *certificate_id, const char *reason,
                                         const char **id_r, struct sg_error *err);
/* The same for tenantd, which knows the certificate alone. */
SG_MUST_USE bool sg_revocation_begin(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const char *certificate_id,
                                     const char *reason, struct sg_error *err);
SG_MUST_USE bool sg_api_revocation_find(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *tenant_id, const char *domain_id,
                                        const char *id, struct sg_api_revocation *row_r,
                                        struct sg_error *err);
SG_MUST_USE bool sg_api_revocation_list(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *tenant_id, const char *domain_id,
                                        const struct sg_api_page *page,
                                        struct sg_api_revocation **rows_r, size_t *count_r,
                                        struct sg_error *err);

#endif
