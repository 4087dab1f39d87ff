/* Roots, directories and member domains of the whole platform. */
#include "../commands.h"

bool gw_anchor_add(struct gw *gw, struct sg_error *err)
{
    const char *pem = gw_file_read(gw, gw->arguments[0], err);
    return pem && gw_show(gw, gw_call(gw, "POST", "/v1/trust-anchors",
                                      json_pack("{s:s}", "pem", pem), err));
}

bool gw_anchor_remove(struct gw *gw, struct sg_error *err)
{
    return gw_remove(gw, gw_below(gw, "/v1/trust-anchors", 0, "anc", err), "removed", err);
}

bool gw_directory_add(struct gw *gw, struct sg_error *err)
{
    const char *text = gw_option(gw, "--position");
    long position;
    GW_AUTO_JSON body = json_pack("{s:s}", "url", gw->arguments[0]);
    if (text && !gw_number(text, "--position", 0, 1000, &position, err))
        return false;
    if (text)
        json_object_set_new(body, "position", json_integer(position));
    gw_set(gw, body, "base_dn", "--base-dn");
    gw_set(gw, body, "anchor_id", "--anchor-id");
    gw_set(gw, body, "filter", "--filter");
    gw_set(gw, body, "attribute", "--attribute");
    gw_set(gw, body, "bind_dn", "--bind-dn");
    gw_set(gw, body, "credential", "--credential");
    return gw_set_file(gw, body, "ca_pem", "--ca-file", err) &&
           gw_show(gw, gw_call(gw, "POST", "/v1/directory-sources", json_incref(body), err));
}

bool gw_directory_remove(struct gw *gw, struct sg_error *err)
{
    return gw_remove(gw, gw_below(gw, "/v1/directory-sources", 0, "dir", err), "removed", err);
}

bool gw_member_add(struct gw *gw, struct sg_error *err)
{
    json_t *body = json_pack("{s:s, s:s}", "name", gw->arguments[0], "environment",
                             gw_option(gw, "--environment"));
    return gw_show(gw, gw_call(gw, "POST", "/v1/member-domains", body, err));
}

bool gw_member_remove(struct gw *gw, struct sg_error *err)
{
    return gw_remove(gw, gw_below(gw, "/v1/member-domains", 0, "mem", err), "removed", err);
}
