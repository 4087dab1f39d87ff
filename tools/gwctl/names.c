#include "gwctl.h"

#include "common/id.h"

#include <limits.h>
#include <string.h>

const char *gw_id(const char *text, const char *prefix, struct sg_error *err)
{
    if (sg_id_valid(sg_bytes_str(text), prefix))
        return text;
    sg_fail(err, SG_E_USAGE, "%.80s is not an id of the form %s_…", text, prefix);
    return NULL;
}

/* The id of the one item of that name. */
static const char *one_named(struct gw *gw, const json_t *items, const char *what, const char *name,
                             struct sg_error *err)
{
    const char *id = NULL;
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)items, i, item)
    {
        const char *has = json_string_value(json_object_get(item, "name"));
        if (!has || strcasecmp(has, name) != 0)
            continue;
        if (id) {
            sg_fail(err, SG_E_USAGE, "several %ss are called %.80s: give the id", what, name);
            return NULL;
        }
        id = sg_arena_strdup(gw->arena, json_string_value(json_object_get(item, "id")));
    }
    if (!id)
        sg_fail(err, SG_E_NOT_FOUND, "there is no %s called %.80s", what, name);
    return id;
}

const char *gw_tenant(struct gw *gw, const char *text, struct sg_error *err)
{
    bool more;
    if (sg_id_valid(sg_bytes_str(text), "ten"))
        return text;
    GW_AUTO_JSON items = gw_items(gw, "/v1/tenants", LONG_MAX, &more, err);
    return items ? one_named(gw, items, "tenant", text, err) : NULL;
}

const char *gw_domain(struct gw *gw, const char *tenant, const char *text, struct sg_error *err)
{
    bool more;
    if (sg_id_valid(sg_bytes_str(text), "dom"))
        return text;
    const char *path = sg_arena_printf(gw->arena, "/v1/tenants/%s/domains", tenant);
    GW_AUTO_JSON items = gw_items(gw, gw_query(gw, path, "name", text), LONG_MAX, &more, err);
    return items ? one_named(gw, items, "domain", text, err) : NULL;
}

const char *gw_tenant_path(struct gw *gw, struct sg_error *err)
{
    const char *tenant = gw_tenant(gw, gw->arguments[0], err);
    return tenant ? sg_arena_printf(gw->arena, "/v1/tenants/%s", tenant) : NULL;
}

const char *gw_domain_path(struct gw *gw, struct sg_error *err)
{
    const char *tenant = gw_tenant(gw, gw->arguments[0], err);
    const char *domain = tenant ? gw_domain(gw, tenant, gw->arguments[1], err) : NULL;
    return domain ? sg_arena_printf(gw->arena, "/v1/tenants/%s/domains/%s", tenant, domain) : NULL;
}
