/* Jobs, tokens, the audit log; and what commands share. */
#include "../commands.h"

#include <string.h>

bool gw_get(struct gw *gw, const char *path, struct sg_error *err)
{
    return path && gw_show(gw, gw_call(gw, "GET", path, NULL, err));
}

bool gw_remove(struct gw *gw, const char *path, const char *what, struct sg_error *err)
{
    GW_AUTO_JSON gone = path ? gw_call(gw, "DELETE", path, NULL, err) : NULL;
    if (gone)
        gw_say(gw, "%s: %s", what, strrchr(path, '/') + 1);
    return gone != NULL;
}

const char *gw_below(struct gw *gw, const char *path, size_t argument, const char *prefix,
                     struct sg_error *err)
{
    const char *id = gw_id(gw->arguments[argument], prefix, err);
    return id ? sg_arena_printf(gw->arena, "%s/%s", path, id) : NULL;
}

void gw_set(const struct gw *gw, json_t *body, const char *member, const char *option)
{
    const char *value = gw_option(gw, option);
    if (value)
        json_object_set_new(body, member, json_string(value));
}

bool gw_set_file(struct gw *gw, json_t *body, const char *member, const char *option,
                 struct sg_error *err)
{
    const char *path = gw_option(gw, option), *content = path ? gw_file_read(gw, path, err) : NULL;
    if (content)
        json_object_set_new(body, member, json_string(content));
    return !path || content;
}

bool gw_job_show(struct gw *gw, struct sg_error *err)
{
    const char *tenant = gw_tenant(gw, gw->arguments[0], err);
    const char *id = tenant ? gw_id(gw->arguments[1], "job", err) : NULL;
    if (!id)
        return false;
    if (gw_option(gw, "--wait"))
        return gw_show(gw, gw_job_wait(gw, tenant, id, err));
    return gw_get(gw, sg_arena_printf(gw->arena, "/v1/tenants/%s/jobs/%s", tenant, id), err);
}

/* With --out the secret goes into a new file that nobody else can read, and nowhere else. */
bool gw_token_create(struct gw *gw, struct sg_error *err)
{
    const char *tenant = gw_option(gw, "--tenant"), *days = gw_option(gw, "--days"),
               *out = gw_option(gw, "--out");
    long number;
    GW_AUTO_JSON body =
        json_pack("{s:s, s:s}", "name", gw_option(gw, "--name"), "role", gw_option(gw, "--role"));
    if (days && !gw_number(days, "--days", 1, 730, &number, err))
        return false;
    if (days)
        json_object_set_new(body, "expires_in_days", json_integer(number));
    gw_set(gw, body, "scope", "--scope");
    if (tenant && !(tenant = gw_tenant(gw, tenant, err)))
        return false;
    if (tenant)
        json_object_set_new(body, "tenant_id", json_string(tenant));
    GW_AUTO_JSON made = gw_call(gw, "POST", "/v1/tokens", json_incref(body), err);
    const char *secret = json_string_value(json_object_get(made, "token"));
    if (!made || !secret)
        return made ? sg_fail(err, SG_E_IO, "the answer has no token") : false;
    if (out) {
        const char *line = sg_arena_printf(gw->arena, "%s\n", secret);
        if (!gw_file_write(out, line, 0600, false, err))
            return false;
        json_object_del(made, "token");
    }
    return gw_show(gw, json_incref(made));
}

bool gw_token_revoke(struct gw *gw, struct sg_error *err)
{
    return gw_remove(gw, gw_below(gw, "/v1/tokens", 0, "tok", err), "revoked", err);
}
