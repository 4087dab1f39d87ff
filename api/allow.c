#include "api/allow.h"

#include "common/log.h"

#if SG_UNCHECKED_TENANT

bool api_allow(const struct api_caller *caller, const struct api_access *access,
               const char *tenant_id, struct sg_error *err)
{
    (void)caller;
    (void)access;
    (void)tenant_id;
    (void)err;
    return true;
}

/* The handler gets whatever the path says; the log, as whom it works. */
bool api_path_find(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const char *user;
    if (!sg_api_current_user(tx, r->arena, &user, err))
        return false;
    sg_log(SG_LOG_INFO, "unchecked", "request_id", r->id.text, "user", user, NULL);
    r->tenant = (struct sg_api_tenant){.key.id = api_param(r, "tenant_id"),
                                       .name = "unchecked",
                                       .state = "active",
                                       .state_reason = ""};
    r->domain = (struct sg_api_domain){.key.id = api_param(r, "domain_id"),
                                       .tenant_id = r->tenant.key.id,
                                       .name = "unchecked.test",
                                       .environment = "seemail",
                                       .state = "attested"};
    return true;
}

#else

bool api_allow(const struct api_caller *caller, const struct api_access *access,
               const char *tenant_id, struct sg_error *err)
{
    bool write = access->need == API_NEED_WRITE;
    if (caller->tenant_id && strcmp(caller->tenant_id, tenant_id) != 0)
        return sg_fail(err, SG_E_NOT_FOUND, "there is nothing here");
    return sg_access_may(&caller->access, access->scope, write) ||
           sg_fail(err, SG_E_FORBIDDEN, "this needs the scope %s:%s", sg_scope_name(access->scope),
                   write ? "write" : "read");
}

bool api_path_find(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const char *tenant_id = api_param(r, "tenant_id"), *domain_id = api_param(r, "domain_id");
    return (!*tenant_id || sg_api_tenant_find(tx, r->arena, tenant_id, &r->tenant, err)) &&
           (!*domain_id || sg_api_domain_find(tx, r->arena, tenant_id, domain_id, &r->domain, err));
}

#endif
