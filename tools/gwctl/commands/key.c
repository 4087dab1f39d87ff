#include "../commands.h"

#include <string.h>

/* The id of the job in an answer, good as long as the answer. */
static const char *job_id(const json_t *accepted)
{
    const char *id = json_string_value(json_object_get(json_object_get(accepted, "job"), "id"));
    return id ? id : "";
}

/* The tenant's id in a path of ours. */
static const char *tenant_of(struct gw *gw, const char *path)
{
    const char *from = path + strlen("/v1/tenants/");
    return sg_arena_str(gw->arena, sg_bytes_of(from, strcspn(from, "/")));
}

bool gw_key_create(struct gw *gw, struct sg_error *err)
{
    const char *path = gw_domain_path(gw, err);
    if (!path)
        return false;
    const char *keys = sg_arena_printf(gw->arena, "%s/keys", path);
    json_t *body = json_pack("{s:s, s:s}", "algorithm", gw_option(gw, "--algorithm"), "kind",
                             gw_option(gw, "--kind"));
    GW_AUTO_JSON accepted = gw_call(gw, "POST", keys, body, err);
    if (!accepted)
        return false;
    if (!gw_option(gw, "--wait"))
        return gw_show(gw, json_incref(accepted));
    GW_AUTO_JSON job = gw_job_wait(gw, tenant_of(gw, path), job_id(accepted), err);
    const char *id = json_string_value(json_object_get(json_object_get(accepted, "key"), "id"));
    return job && gw_get(gw, sg_arena_printf(gw->arena, "%s/%s", keys, id ? id : ""), err);
}

static const char *key_path(struct gw *gw, struct sg_error *err)
{
    const char *path = gw_domain_path(gw, err);
    return path ? gw_below(gw, sg_arena_printf(gw->arena, "%s/keys", path), 2, "key", err) : NULL;
}

bool gw_csr(struct gw *gw, struct sg_error *err)
{
    const char *key = key_path(gw, err), *out = gw_option(gw, "--out");
    if (!key)
        return false;
    const char *path = sg_arena_printf(gw->arena, "%s/csr", key);
    GW_AUTO_JSON accepted = gw_call(gw, "POST", path, NULL, err);
    GW_AUTO_JSON job =
        accepted ? gw_job_wait(gw, tenant_of(gw, path), job_id(accepted), err) : NULL;
    GW_AUTO_JSON csr = job ? gw_call(gw, "GET", path, NULL, err) : NULL;
    const char *pem = json_string_value(json_object_get(csr, "pem"));
    if (!csr)
        return false;
    if (!pem || !gw_file_write(out, pem, 0644, true, err))
        return pem ? false : sg_fail(err, SG_E_IO, "the answer has no certificate request");
    if (strcmp(out, "-") != 0)
        gw_say(gw, "certificate request written to %s", out);
    return true;
}

/* Certificates --------------------------------------------------------------------------------- */

bool gw_certificate_install(struct gw *gw, struct sg_error *err)
{
    const char *path = gw_domain_path(gw, err);
    const char *pem = path ? gw_file_read(gw, gw->arguments[2], err) : NULL;
    if (!pem)
        return false;
    const char *certificates = sg_arena_printf(gw->arena, "%s/certificates", path);
    GW_AUTO_JSON accepted = gw_call(gw, "POST", certificates, json_pack("{s:s}", "pem", pem), err);
    if (!accepted)
        return false;
    if (!gw_option(gw, "--wait"))
        return gw_show(gw, json_incref(accepted));
    GW_AUTO_JSON job = gw_job_wait(gw, tenant_of(gw, path), job_id(accepted), err);
    const char *id =
        json_string_value(json_object_get(json_object_get(job, "result"), "certificate_id"));
    if (!job)
        return false;
    return id ? gw_get(gw, sg_arena_printf(gw->arena, "%s/%s", certificates, id), err)
              : gw_show(gw, json_incref(job));
}
