#include "api/service.h"

#include "api/allow.h"
#include "api/auth.h"
#include "api/etag.h"
#include "api/router.h"
#include "schema/api_message.h"

static bool media_type_json(const char *content_type)
{
    if (!content_type)
        return false;
    size_t n = strcspn(content_type, "; \t");
    return sg_bytes_iequal(sg_bytes_of(content_type, n), "application/json");
}

/* Body and query by the route's specs; a route without one takes nothing. */
static bool fields_read(struct api_request *r, struct sg_error *err)
{
    const struct api_spec *body = r->route->body, *query = r->route->query;
    if (body)
        r->fields = sg_arena_alloc(r->arena, body->size);
    if (query)
        r->parameters = sg_arena_alloc(r->arena, query->size);
    if (r->body.len > 0 && !media_type_json(r->content_type))
        return sg_fail(err, SG_E_UNSUPPORTED_MEDIA, "the body must be application/json");
    if (body && r->body.len == 0)
        return sg_fail(err, SG_E_MALFORMED, "a JSON body is needed");
    return api_spec_read_query(query, r->arena, r->query, r->query_count, r->parameters, err) &&
           (r->body.len == 0 || api_spec_read(body, r->arena, r->body, r->fields, err));
}

/* The body of the transaction. A kept answer comes before all else: what it was about may be gone.
 */
static bool transact(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct api_request *r = arg;
    bool done;
    if (!api_idempotency_begin(r, tx, &r->service->idempotency, &done, err))
        return false;
    return done || (api_path_find(r, tx, err) && api_etag_precondition(r, tx, err) &&
                    r->route->transact(r, tx, err) && api_idempotency_end(r, tx, err));
}

static bool counted(const struct api_service *s, struct api_request *r, const char *name,
                    const char *key, struct sg_error *err)
{
    if (api_rate_take(s->rate, name, key, sg_clock_monotonic_ms(), &r->rate))
        return true;
    r->reply.retry_after = r->rate.reset_s;
    return sg_fail(err, SG_E_RATE, "the rate of %s is used up", name);
}

/* Who has shown no right is counted by address, and told no more than that when it is too often. */
static bool refused(const struct api_service *s, struct api_request *r, struct sg_error *err)
{
    struct sg_error rate = {0};
    bool theirs = err->code == SG_E_UNAUTHENTICATED || err->code == SG_E_NOT_FOUND ||
                  err->code == SG_E_METHOD;
    if (theirs && !counted(s, r, "anonymous", r->address, &rate))
        *err = rate;
    return false;
}

/* Whether the process lives and is ready is asked by machines of the house, often. */
static bool watched(const struct api_route *route)
{
    return strncmp(route->pattern, "/v1/", 4) != 0;
}

/* Route, caller, rate, rights. */
static bool admit(const struct api_service *s, struct api_request *r, struct sg_error *err)
{
    if (!api_route_find(r->arena, api_routes, api_route_count, r->method, r->path, &r->route,
                        &r->params, &r->reply.allow, err))
        return refused(s, r, err);
    if (r->route->access.need == API_NEED_NOTHING)
        return watched(r->route) || counted(s, r, "anonymous", r->address, err);
    if (!api_auth_caller(s->auth, r, err))
        return refused(s, r, err);
    return counted(s, r, r->caller.role, api_caller_id(&r->caller), err) &&
           api_allow(&r->caller, &r->route->access, api_param(r, "tenant_id"), err);
}

/* A transaction by the caller's role, for the tenant of the path or the caller's own. */
static bool caller_transact(struct api_request *r,
                            bool (*fn)(struct sg_tx *tx, void *arg, struct sg_error *err),
                            struct sg_error *err)
{
    bool provider = r->caller.tenant_id == NULL;
    const struct sg_db_context ctx = {
        .tenant = provider ? api_param(r, "tenant_id") : r->caller.tenant_id,
        .actor = r->caller.actor,
        .address = r->address,
        .request_id = r->id.text,
    };
    return sg_db_transact(provider ? r->service->provider : r->service->api, &ctx, fn, r, err);
}

/* What gatewayd does is under no row-level security of the caller's: that he sees the tenant is
 * asked here, whatever api_path_find() did. */
static bool path_find(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct api_request *r = arg;
    return api_path_find(r, tx, err) &&
           sg_api_tenant_find(tx, r->arena, r->tenant.key.id, &r->tenant, err) &&
           (r->caller.tenant_id ||
            sg_api_audit_read(tx, r->tenant.key.id, "simulation", r->tenant.key.id, "{}", err));
}

bool api_service_simulation_begin(struct api_request *r, struct sg_error *err)
{
    return caller_transact(r, path_find, err);
}

static bool answer(const struct api_service *s, struct api_request *r, struct sg_error *err)
{
    r->service = s;
    if (!admit(s, r, err) || !fields_read(r, err))
        return false;
    if (r->route->answer)
        return r->route->answer(r, err);
    if (!caller_transact(r, transact, err))
        return false;
    api_etag_set(r);
    api_etag_not_modified(r);
    return true;
}

void api_service_answer(const struct api_service *service, struct api_request *request,
                        struct sg_error *err_r)
{
    sg_error_reset(err_r);
    if (!answer(service, request, err_r)) {
        api_reply_problem(request, err_r);
    } else if (!request->reply.body && !request->reply.media_type && request->reply.status != 204 &&
               request->reply.status != 304) {
        sg_fail(err_r, SG_E_INTERNAL, "the answer could not be written as JSON");
        api_reply_problem(request, err_r);
    }
}
