/*
 * The one table of routes, and finding one in it. A pattern is a path with parts in braces; a part
 * must be an id of its kind, or nothing matches.
 */
#ifndef SG_API_ROUTER_H
#define SG_API_ROUTER_H

#include "api/request.h"

/* The scopes are those of schema/access.h; which role has them stands in schema/access.c. */
#define API_PUBLIC                                                                                 \
    {                                                                                              \
        API_NEED_NOTHING, 0                                                                        \
    }
#define API_READ(scope)                                                                            \
    {                                                                                              \
        API_NEED_READ, SG_SCOPE_##scope                                                            \
    }
#define API_WRITE(scope)                                                                           \
    {                                                                                              \
        API_NEED_WRITE, SG_SCOPE_##scope                                                           \
    }

struct api_route {
    const char *method;
    const char *pattern;      /* "/v1/tenants/{tenant_id}" */
    struct api_access access; /* API_PUBLIC, API_READ(domains), API_WRITE(domains) */
    const struct api_spec *body;
    const struct api_spec *query;
    /*
     * One of the two. answer works without a transaction (api_service_simulation_begin() is its way
     * to the tenant). transact is the body of a transaction (db.h: it may run several times), after
     * the tenant and the domain of the path were found; it sets the reply.
     */
    bool (*answer)(struct api_request *request, struct sg_error *err);
    bool (*transact)(struct api_request *request, struct sg_tx *tx, struct sg_error *err);
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;

/*
 * The route of a request; fills params. SG_E_NOT_FOUND: no such path; SG_E_METHOD: the path is
 * there and the method is not, *allow_r names those that are.
 */
SG_MUST_USE bool api_route_find(struct sg_arena *arena, const struct api_route *routes,
                                size_t count, const char *method, const char *path,
                                const struct api_route **route_r, struct api_params *params,
                                const char **allow_r, struct sg_error *err);

/* "domains:read", "public" */
const char *api_access_text(struct sg_arena *arena, const struct api_access *access);

/* The table as JSON, for `apid --routes` and the test that holds it against openapi.yaml. */
json_t *api_routes_describe(void);

#endif
