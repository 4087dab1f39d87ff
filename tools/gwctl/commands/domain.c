#include "../commands.h"

bool gw_domain_add(struct gw *gw, struct sg_error *err)
{
    const char *path = gw_tenant_path(gw, err);
    if (!path)
        return false;
    json_t *body =
        json_pack("{s:s, s:s, s:b}", "name", gw->arguments[1], "environment",
                  gw_option(gw, "--environment"), "attested", gw_option(gw, "--prove") == NULL);
    return gw_show(gw,
                   gw_call(gw, "POST", sg_arena_printf(gw->arena, "%s/domains", path), body, err));
}

bool gw_next_hop_set(struct gw *gw, struct sg_error *err)
{
    long port;
    const char *path = gw_domain_path(gw, err);
    if (!path || !gw_number(gw_option(gw, "--port"), "--port", 1, 65535, &port, err))
        return false;
    GW_AUTO_JSON body = json_pack("{s:I}", "port", (json_int_t)port);
    gw_set(gw, body, "host", "--host");
    gw_set(gw, body, "protocol", "--protocol");
    gw_set(gw, body, "tls", "--tls");
    if (!gw_set_file(gw, body, "ca_pem", "--ca-file", err))
        return false;
    return gw_show(gw, gw_call(gw, "PUT", sg_arena_printf(gw->arena, "%s/next-hop", path),
                               json_incref(body), err));
}
