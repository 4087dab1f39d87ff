#include "../commands.h"

bool gw_submitter_add(struct gw *gw, struct sg_error *err)
{
    const char *network = gw_option(gw, "--network"), *file = gw_option(gw, "--certificate-file"),
               *fingerprint = gw_option(gw, "--fingerprint");
    if ((network != NULL) + (file != NULL) + (fingerprint != NULL) != 1)
        return sg_fail(err, SG_E_USAGE,
                       "submitter add needs one of --network, --certificate-file, --fingerprint");
    const char *path = gw_tenant_path(gw, err);
    if (file)
        fingerprint = gw_fingerprint(gw, file, err);
    if (!path || (file && !fingerprint))
        return false;
    json_t *body = json_pack("{s:s, s:s}", "kind", network ? "network" : "client_certificate",
                             network ? "network" : "fingerprint", network ? network : fingerprint);
    gw_set(gw, body, "description", "--description");
    return gw_show(
        gw, gw_call(gw, "POST", sg_arena_printf(gw->arena, "%s/submitters", path), body, err));
}

bool gw_submitter_remove(struct gw *gw, struct sg_error *err)
{
    const char *path = gw_tenant_path(gw, err);
    return path &&
           gw_remove(gw,
                     gw_below(gw, sg_arena_printf(gw->arena, "%s/submitters", path), 1, "sub", err),
                     "removed", err);
}
