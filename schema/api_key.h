/* Keys and certificates of a domain, as the REST API sees them; tenantd makes them. */
#ifndef SG_SCHEMA_API_KEY_H
#define SG_SCHEMA_API_KEY_H

#include "schema/api_page.h"

struct sg_api_hsm_key {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *domain_id, *kind, *algorithm, *state;
    struct sg_bytes spki, spki_sha256; /* empty until it is made */
    sg_time updated_at;
    struct sg_bytes csr; /* by find alone; empty: none yet */
};

/* In state "pending". */
SG_MUST_USE bool sg_api_key_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                   const char *tenant_id, const char *domain_id, const char *kind,
                                   const char *algorithm, struct sg_api_hsm_key *row_r,
                                   struct sg_error *err);
SG_MUST_USE bool sg_api_key_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const char *domain_id, const char *id,
                                 struct sg_api_hsm_key *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_key_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const char *domain_id, const struct sg_api_page *page,
                                 struct sg_api_hsm_key **rows_r, size_t *count_r,
                                 struct sg_error *err);

struct sg_api_certificate {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *domain_id, *key_id, *state;
    struct sg_bytes der;
    struct sg_bytes *chain;
    size_t chain_count;
    struct sg_bytes sha256;
    const char *subject, *issuer, *serial;
    sg_time not_before, not_after, updated_at;
    const char *authority_id; /* NULL: none */
    sg_time renew_at;         /* 0: a month before its end */
    const char *published;
    sg_time published_at; /* 0: not yet */
};

SG_MUST_USE bool sg_api_certificate_find(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *tenant_id, const char *domain_id,
                                         const char *id, struct sg_api_certificate *row_r,
                                         struct sg_error *err);
SG_MUST_USE bool sg_api_certificate_list(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *tenant_id, const char *domain_id,
                                         const struct sg_api_page *page,
                                         struct sg_api_certificate **rows_r, size_t *count_r,
                                         struct sg_error *err);

#endif
