/*
 * What separates tenants in apid itself. Row-level security stands behind all of it: a program made
 * with SG_UNCHECKED_TENANT (build/unchecked/bin/apid, for tests alone) has none of these checks,
 * and a tenant still sees nothing of another.
 */
#ifndef SG_API_ALLOW_H
#define SG_API_ALLOW_H

#include "api/request.h"

/*
 * May this caller use a route that needs access, with that tenant in its path ("": none)? A
 * tenant's caller sees nothing outside its own tenant: SG_E_NOT_FOUND, whatever is there.
 */
SG_MUST_USE bool api_allow(const struct api_caller *caller, const struct api_access *access,
                           const char *tenant_id, struct sg_error *err);

/* Finds the tenant and the domain of the path, before the handler runs. */
SG_MUST_USE bool api_path_find(struct api_request *request, struct sg_tx *tx, struct sg_error *err);

#endif
