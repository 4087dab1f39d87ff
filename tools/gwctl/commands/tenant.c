#include "../commands.h"

static const struct gw_column columns[] = {
    {"ID", "id"}, {"NAME", "name"}, {"STATE", "state"}, {"SINCE", "created_at"}, {0}};

bool gw_tenant_create(struct gw *gw, struct sg_error *err)
{
    json_t *body = json_pack("{s:s}", "name", gw_option(gw, "--name"));
    return gw_show(gw, gw_call(gw, "POST", "/v1/tenants", body, err));
}

bool gw_tenant_list(struct gw *gw, struct sg_error *err)
{
    return gw_list(gw, "/v1/tenants", columns, err);
}

bool gw_tenant_show(struct gw *gw, struct sg_error *err)
{
    return gw_get(gw, gw_tenant_path(gw, err), err);
}
