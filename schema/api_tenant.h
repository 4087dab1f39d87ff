/* Tenants and their life, as the REST API sees them. */
#ifndef SG_SCHEMA_API_TENANT_H
#define SG_SCHEMA_API_TENANT_H

#include "schema/api_page.h"

struct sg_api_tenant {
    struct sg_api_key key;                    /* created_at */
    const char *name, *state;                 /* "pending", "active", "suspended", "closed" */
    const char *external_ref;                 /* NULL: none */
    const char *state_reason;                 /* why it is suspended, cancelled, closed */
    sg_time cancelled_at, ends_at, closed_at; /* 0: not */
    sg_time updated_at;
};

/* Active, or pending where documents must be acknowledged first. SG_E_CONFLICT: another tenant has
 * the external_ref (NULL: none). */
SG_MUST_USE bool sg_api_tenant_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      const char *name, const char *external_ref,
                                      struct sg_api_tenant *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_tenant_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                    struct sg_api_tenant *row_r, struct sg_error *err);
/* Filters are equality; NULL: any. */
struct sg_api_tenant_filter {
    const char *name, *state, *external_ref;
};
SG_MUST_USE bool sg_api_tenant_list(struct sg_tx *tx, struct sg_arena *arena,
                                    const struct sg_api_tenant_filter *filter,
                                    const struct sg_api_page *page, struct sg_api_tenant **rows_r,
                                    size_t *count_r, struct sg_error *err);

/* As whom this transaction works, for tests. */
SG_MUST_USE bool sg_api_current_user(struct sg_tx *tx, struct sg_arena *arena, const char **user_r,
                                     struct sg_error *err);

/* name NULL: as it is; external_ref is set (NULL: to none) where ref_set. */
SG_MUST_USE bool sg_api_tenant_update(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      const char *name, bool ref_set, const char *external_ref,
                                      struct sg_api_tenant *row_r, struct sg_error *err);
/* SG_E_CONFLICT: it is in another state than from. */
SG_MUST_USE bool sg_api_tenant_state_set(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                         const char *from, const char *to, const char *reason,
                                         struct sg_api_tenant *row_r, struct sg_error *err);
/* Cancelled now, closed at ends_at. SG_E_CONFLICT: cancelled or closed already. */
SG_MUST_USE bool sg_api_tenant_cancel(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      const char *reason, sg_time ends_at,
                                      struct sg_api_tenant *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_tenant_cancel_withdraw(struct sg_tx *tx, struct sg_arena *arena,
                                               const char *id, struct sg_api_tenant *row_r,
                                               struct sg_error *err);

/* Exports (REQ-156); made by tenantd (export.h). */
struct sg_api_export {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *state, *job_id, *file;
    int64_t size_bytes;
    const char *sha256, *error;
    sg_time finished_at, expires_at;
};
SG_MUST_USE bool sg_api_export_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      const char *tenant_id, const char *job_id, sg_time expires_at,
                                      struct sg_api_export *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_export_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *id, struct sg_api_export *row_r,
                                    struct sg_error *err);
SG_MUST_USE bool sg_api_export_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const struct sg_api_page *page, struct sg_api_export **rows_r,
                                    size_t *count_r, struct sg_error *err);

#endif
