#include "api/service.h"

#include "api/auth.h"
#include "api/router.h"

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

/* The body of the transaction: what the path names must be there before the handler runs. */
static bool transact(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct api_request *r = arg;
    const char *tenant_id = api_param(r, "tenant_id"), *domain_id = api_param(r, "domain_id");
    if (*tenant_id && !sg_api_tenant_find(tx, r->arena, tenant_id, &r->tenant, err))
        return false;
    if (*domain_id && !sg_api_domain_find(tx, r->arena, tenant_id, domain_id, &r->domain, err))
        return false;
    return r->route->transact(r, tx, err);
}

static bool answer(const struct api_service *s, struct api_request *r, struct sg_error *err)
{
    r->service = s;
    if (!api_route_find(r->arena, api_routes, api_route_count, r->method, r->path, &r->route,
                        &r->params, &r->reply.allow, err))
        return false;
    if (r->route->access.need != API_NEED_NOTHING &&
        (!api_auth_caller(s->auth, r, err) ||
         !api_auth_allow(&r->caller, &r->route->access, api_param(r, "tenant_id"), err)))
        return false;
    if (!fields_read(r, err))
        return false;
    if (r->route->answer)
        return r->route->answer(r, err);
    bool provider = r->caller.tenant_id == NULL;
    const struct sg_db_context ctx = {
        .tenant = provider ? api_param(r, "tenant_id") : r->caller.tenant_id,
        .actor = r->caller.actor,
        .address = r->address,
        .request_id = r->id.text,
    };
    return sg_db_transact(provider ? s->provider : s->api, &ctx, transact, r, err);
}

void api_service_answer(const struct api_service *service, struct api_request *request,
                        struct sg_error *err_r)
{
    sg_error_reset(err_r);
    if (!answer(service, request, err_r)) {
        api_reply_problem(request, err_r);
    } else if (!request->reply.body && !request->reply.media_type && request->reply.status != 204) {
        sg_fail(err_r, SG_E_INTERNAL, "the answer could not be written as JSON");
        api_reply_problem(request, err_r);
    }
}
