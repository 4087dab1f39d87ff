#include "smtp/policy_request.h"

const char *sg_policy_attribute(const struct sg_policy_request *request, const char *name)
{
    for (size_t i = 0; i < request->count; i++)
        if (strcmp(request->names[i], name) == 0)
            return request->values[i];
    return "";
}

static bool attribute_add(struct sg_arena *arena, struct sg_bytes line, struct sg_policy_request *r,
                          struct sg_error *err)
{
    const uint8_t *equals = line.len ? memchr(line.data, '=', line.len) : NULL;
    if (!equals || equals == line.data || memchr(line.data, 0, line.len))
        return sg_fail(err, SG_E_MALFORMED, "policy request: not name=value");
    if (r->count == POLICY_ATTRIBUTES)
        return sg_fail(err, SG_E_LIMIT, "policy request: too many attributes");
    size_t n = (size_t)(equals - line.data);
    const char *name = sg_arena_str(arena, sg_bytes_slice(line, 0, n));
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->names[i], name) == 0)
            return sg_fail(err, SG_E_MALFORMED, "policy request: an attribute comes twice");
    r->names[r->count] = name;
    r->values[r->count++] = sg_arena_str(arena, sg_bytes_slice(line, n + 1, line.len));
    return true;
}

bool policy_request_parse(struct sg_arena *arena, struct sg_bytes text,
                          struct sg_policy_request *request, struct sg_error *err)
{
    memset(request, 0, sizeof *request);
    while (text.len) {
        const uint8_t *lf = memchr(text.data, '\n', text.len);
        if (!lf)
            return sg_fail(err, SG_E_MALFORMED, "policy request: a line does not end");
        size_t n = (size_t)(lf - text.data);
        if (!attribute_add(arena, sg_bytes_slice(text, 0, n), request, err))
            return false;
        text = sg_bytes_slice(text, n + 1, text.len);
    }
    if (strcmp(sg_policy_attribute(request, "request"), "smtpd_access_policy") != 0)
        return sg_fail(err, SG_E_MALFORMED, "policy request: not smtpd_access_policy");
    return true;
}
