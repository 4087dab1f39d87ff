/* Tenants, as the REST API sees them. */
#ifndef SG_SCHEMA_API_TENANT_H
#define SG_SCHEMA_API_TENANT_H

#include "schema/api_page.h"

struct sg_api_tenant {
    struct sg_api_key key; /* created_at */
    const char *name, *state;
    sg_time updated_at;
};

SG_MUST_USE bool sg_api_tenant_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      const char *name, struct sg_api_tenant *row_r,
                                      struct sg_error *err);
SG_MUST_USE bool sg_api_tenant_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                    struct sg_api_tenant *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_tenant_list(struct sg_tx *tx, struct sg_arena *arena,
                                    const struct sg_api_page *page, struct sg_api_tenant **rows_r,
                                    size_t *count_r, struct sg_error *err);

/* As whom this transaction works, for tests. */
SG_MUST_USE bool sg_api_current_user(struct sg_tx *tx, struct sg_arena *arena, const char **user_r,
                                     struct sg_error *err);

#endif
