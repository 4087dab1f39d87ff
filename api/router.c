#include "api/router.h"

/* Which ids a part of a path takes. */
static const struct {
    const char *name, *prefix;
} parts[] = {
    /* One a line. clang-format would pack them. */
    /* clang-format off */
    {"anchor_id", "anc"},
    {"attestation_id", "att"},
    {"authority_id", "cau"},
    {"breach_id", "bre"},
    {"certificate_id", "crt"},
    {"client_certificate_id", "ccr"},
    {"client_id", "cli"},
    {"change_id", "lch"},
    {"compromise_id", "cmp"},
    {"contact_id", "con"},
    {"directory_id", "dir"},
    {"document_id", "doc"},
    {"domain_id", "dom"},
    {"exception_id", "exc"},
    {"export_id", "exp"},
    {"held_id", "hld"},
    {"hold_id", "lgh"},
    {"incident_id", "inc"},
    {"job_id", "job"},
    {"key_id", "key"},
    {"list_id", "lst"},
    {"maintenance_id", "mnt"},
    {"member_id", "mem"},
    {"msg_id", "msg"},
    {"notice_id", "ntc"},
    {"report_id", "rep"},
    {"report_recipient_id", "rrc"},
    {"order_id", "ord"},
    {"revocation_id", "rev"},
    {"partner_capability_id", "pcp"},
    {"partner_id", "pcr"},
    {"bypass_id", "byp"},
    {"submitter_id", "sub"},
    {"tenant_id", "ten"},
    {"token_id", "tok"},
    /* clang-format on */
};

const char *api_access_text(struct sg_arena *arena, const struct api_access *access)
{
    return access->need == API_NEED_NOTHING
               ? "public"
               : sg_arena_printf(arena, "%s:%s", sg_scope_name(access->scope),
                                 access->need == API_NEED_WRITE ? "write" : "read");
}

/* One segment of a path, up to the next slash. */
static struct sg_bytes segment(const char **path)
{
    size_t n = strcspn(*path, "/");
    struct sg_bytes s = sg_bytes_of(*path, n);
    *path += n;
    return s;
}

/* The static name behind "{…}", and whether value is an id of that kind. */
static const char *part_match(struct sg_bytes pattern, struct sg_bytes value)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (pattern.len == strlen(parts[i].name) + 2 &&
            memcmp(pattern.data + 1, parts[i].name, pattern.len - 2) == 0)
            return sg_id_valid(value, parts[i].prefix) ? parts[i].name : NULL;
    return NULL;
}

static bool match(struct sg_arena *arena, const char *pattern, const char *path,
                  struct api_params *params)
{
    params->count = 0;
    while (*pattern == '/' && *path == '/') {
        pattern++, path++;
        struct sg_bytes want = segment(&pattern), have = segment(&path);
        if (want.len && want.data[0] == '{') {
            const char *name = part_match(want, have);
            if (!name || params->count == API_PARAMS_MAX)
                return false;
            params->items[params->count].name = name;
            params->items[params->count++].value = sg_arena_str(arena, have);
        } else if (!sg_bytes_equal(want, have)) {
            return false;
        }
    }
    return *pattern == 0 && *path == 0;
}

bool api_route_find(struct sg_arena *arena, const struct api_route *routes, size_t count,
                    const char *method, const char *path, const struct api_route **route_r,
                    struct api_params *params, const char **allow_r, struct sg_error *err)
{
    const char *allow = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!match(arena, routes[i].pattern, path, params))
            continue;
        if (strcmp(routes[i].method, method) == 0) {
            *route_r = &routes[i];
            return true;
        }
        allow =
            allow ? sg_arena_printf(arena, "%s, %s", allow, routes[i].method) : routes[i].method;
    }
    *allow_r = allow;
    params->count = 0;
    return allow ? sg_fail(err, SG_E_METHOD, "this path takes %s", allow)
                 : sg_fail(err, SG_E_NOT_FOUND, "there is nothing here");
}

json_t *api_routes_describe(void)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    json_t *all = json_array();
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_route *r = &api_routes[i];
        json_array_append_new(all,
                              json_pack("{s:s, s:s, s:s, s:o*, s:o}", "method", r->method, "path",
                                        r->pattern, "access", api_access_text(arena, &r->access),
                                        "body", r->body ? api_spec_describe(r->body) : json_null(),
                                        "query", api_spec_describe(r->query)));
    }
    return all;
}
