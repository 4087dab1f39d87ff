/* Whom a domain trusts beyond the rest of the platform: S/MIME partners outside Secure Email
 * (REQ-91), further roots (REQ-180); and the platform's store of partners' certificates. */
#ifndef SG_SCHEMA_API_TRUST_H
#define SG_SCHEMA_API_TRUST_H

#include "schema/api_platform.h"

struct sg_api_exception {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *domain_id;
    const char *partner; /* a domain, lower case */
    const char *description;
    sg_time expires_at; /* 0: never */
};
/* SG_E_CONFLICT: the domain has that partner already. */
SG_MUST_USE bool sg_api_exception_insert(struct sg_tx *tx, struct sg_arena *arena,
                                         const struct sg_api_exception *row,
                                         struct sg_api_exception *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_exception_find(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *tenant_id, const char *domain_id, const char *id,
                                       struct sg_api_exception *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_exception_delete(struct sg_tx *tx, const char *tenant_id,
                                         const char *domain_id, const char *id,
                                         struct sg_error *err);
SG_MUST_USE bool sg_api_exception_list(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *tenant_id, const char *domain_id,
                                       const struct sg_api_page *page,
                                       struct sg_api_exception **rows_r, size_t *count_r,
                                       struct sg_error *err);

SG_MUST_USE bool sg_api_domain_anchor_insert(struct sg_tx *tx, struct sg_arena *arena,
                                             const char *tenant_id, const char *domain_id,
                                             const struct sg_api_anchor *row,
                                             struct sg_api_anchor *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_domain_anchor_delete(struct sg_tx *tx, const char *tenant_id,
                                             const char *domain_id, const char *id,
                                             struct sg_error *err);
SG_MUST_USE bool sg_api_domain_anchor_list(struct sg_tx *tx, struct sg_arena *arena,
                                           const char *tenant_id, const char *domain_id,
                                           const struct sg_api_page *page,
                                           struct sg_api_anchor **rows_r, size_t *count_r,
                                           struct sg_error *err);

struct sg_api_partner {
    struct sg_api_key key; /* fetched_at */
    const char *domain;
    struct sg_bytes der, sha256;
    const char *source, *origin; /* "ldap", "mail", "api"; which directory, which message */
    const char *state;           /* "active", "pending", "refused" */
    const char *relying_id;      /* of ours: for which domain alone it is there; NULL: for all */
    sg_time not_before, not_after;
};
/* SG_E_CONFLICT: it is there already. */
SG_MUST_USE bool sg_api_partner_insert(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_api_partner *row,
                                       struct sg_api_partner *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_partner_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                     struct sg_api_partner *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_partner_state_set(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                          const char *state, struct sg_api_partner *row_r,
                                          struct sg_error *err);
SG_MUST_USE bool sg_api_partner_delete(struct sg_tx *tx, const char *id, struct sg_error *err);
/* domain, state NULL: any. */
SG_MUST_USE bool sg_api_partner_list(struct sg_tx *tx, struct sg_arena *arena, const char *domain,
                                     const char *state, const struct sg_api_page *page,
                                     struct sg_api_partner **rows_r, size_t *count_r,
                                     struct sg_error *err);

#endif
