/* Policies: settings as JSON, at the levels of platform, tenant and domain. */
#ifndef SG_SCHEMA_API_POLICY_H
#define SG_SCHEMA_API_POLICY_H

#include "schema/api_page.h"

struct sg_api_policy {
    const char *tenant_id, *domain_id; /* NULL: the platform's; the tenant's */
    const char *settings;              /* a JSON object: what is set at this level */
    sg_time updated_at;
};

/* The levels that apply, from the platform down: at most three. tenant_id, domain_id may be NULL.
 */
SG_MUST_USE bool sg_api_policy_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *domain_id, struct sg_api_policy **rows_r,
                                    size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_api_policy_set(struct sg_tx *tx, const char *tenant_id, const char *domain_id,
                                   const char *settings, struct sg_error *err);

#endif
