/* Domains and their next hops, as the REST API sees them. */
#ifndef SG_SCHEMA_API_DOMAIN_H
#define SG_SCHEMA_API_DOMAIN_H

#include "schema/api_page.h"

struct sg_api_domain {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *name, *environment, *state;
    sg_time updated_at;
};

/*
 * Attested by the provider, or (false) claimed: pending, with a challenge (api_ownership.h).
 * SG_E_CONFLICT: the tenant has it already; attested: somebody has. A claim shows nothing of
 * others.
 */
SG_MUST_USE bool sg_api_domain_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      const char *tenant_id, const char *name,
                                      const char *environment, bool attested,
                                      struct sg_api_domain *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_domain_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *id, struct sg_api_domain *row_r,
                                    struct sg_error *err);
/* name may be NULL: of any name. */
SG_MUST_USE bool sg_api_domain_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *name, const struct sg_api_page *page,
                                    struct sg_api_domain **rows_r, size_t *count_r,
                                    struct sg_error *err);

struct sg_api_next_hop {
    const char *domain_id, *protocol, *host, *tls, *ca_pem;
    int64_t port;
    sg_time updated_at;
};

/* updated_at of row is set. */
SG_MUST_USE bool sg_api_next_hop_set(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const struct sg_api_next_hop *row,
                                     struct sg_api_next_hop *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_next_hop_find(struct sg_tx *tx, struct sg_arena *arena,
                                      const char *tenant_id, const char *domain_id,
                                      struct sg_api_next_hop *row_r, struct sg_error *err);

#endif
