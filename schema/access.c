#include "schema/access.h"

#include <string.h>

#define S(name) (1u << SG_SCOPE_##name)
#define ALL     ((1u << SG_SCOPE_COUNT) - 1)

_Static_assert(SG_SCOPE_COUNT < 32, "a set of scopes is a word");

static const char *const names[] = {
#define X(name) #name,
    SG_SCOPES(X)
#undef X
};

/* What belongs to running the service, as against who may use this API. */
#define OPERATION (ALL & ~(S(tokens) | S(clients)))

const struct sg_role sg_roles[] = {
    {"provider-admin", true, false, {ALL, ALL}},
    {"provisioning",
     true,
     false,
     {S(certificates), S(tenants) | S(contacts) | S(domains) | S(submitters) | S(next_hops) |
                           S(keys) | S(certificates) | S(policies) | S(lists) | S(exceptions) |
                           S(jobs)}},
    {"billing", true, false, {S(usage) | S(tenants) | S(domains), 0}},
    {"support", true, false, {OPERATION, S(held) | S(jobs)}},
    {"security-officer",
     true,
     true,
     {ALL, S(compromise) | S(incidents) | S(breaches) | S(reports) | S(anchors) | S(partners) |
               S(certificates) | S(held)}},
    {"auditor", true, true, {ALL, 0}},
    /* What the tenant answers for itself; who may hand in mail for it (REQ-136), its rules and
     * lists are the provider's to set. */
    {"tenant-admin",
     false,
     true,
     {ALL, S(contacts) | S(domains) | S(next_hops) | S(keys) | S(certificates) | S(compromise) |
               S(held) | S(jobs) | S(incidents) | S(reports) | S(documents)}},
    {"tenant-viewer", false, true, {OPERATION, 0}},
};
const size_t sg_role_count = sizeof sg_roles / sizeof sg_roles[0];

const char *const sg_role_names[] = {"provider-admin", "provisioning",     "billing",
                                     "support",        "security-officer", "auditor",
                                     "tenant-admin",   "tenant-viewer",    NULL};
_Static_assert(sizeof sg_role_names / sizeof sg_role_names[0] ==
                   sizeof sg_roles / sizeof sg_roles[0] + 1,
               "a name for each role");

const char *sg_scope_name(enum sg_scope scope)
{
    return names[scope];
}

bool sg_access_may(const struct sg_access *access, enum sg_scope scope, bool write)
{
    uint32_t bit = 1u << scope;
    return access->write & bit || (!write && access->read & bit);
}

bool sg_access_within(const struct sg_access *inner, const struct sg_access *outer)
{
    return (inner->write & ~outer->write) == 0 &&
           (inner->read & ~(outer->read | outer->write)) == 0;
}

/* "domains:read"; false where it is none. */
static bool word_parse(const char *word, size_t n, struct sg_access *access)
{
    for (int scope = 0; scope < SG_SCOPE_COUNT; scope++) {
        size_t len = strlen(names[scope]);
        if (n <= len || memcmp(word, names[scope], len) != 0 || word[len] != ':')
            continue;
        const char *what = word + len + 1;
        size_t rest = n - len - 1;
        if (rest == 4 && memcmp(what, "read", 4) == 0)
            access->read |= 1u << scope;
        else if (rest == 5 && memcmp(what, "write", 5) == 0)
            access->write |= 1u << scope;
        else
            return false;
        return true;
    }
    return false;
}

bool sg_access_parse(const char *text, struct sg_access *access_r, struct sg_error *err)
{
    *access_r = (struct sg_access){0};
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (!word_parse(p, n, access_r))
            return sg_fail(err, SG_E_INVALID,
                           "is not a list of scopes, as in domains:read "
                           "held:write, at \"%.*s\"",
                           n > 40 ? 40 : (int)n, p);
        p += n;
        if (*p == ' ' && !*++p)
            return sg_fail(err, SG_E_INVALID, "ends in a space");
    }
    return *text || sg_fail(err, SG_E_INVALID, "must name a scope");
}

const char *sg_access_text(struct sg_arena *arena, const struct sg_access *access)
{
    const char *text = "";
    for (int scope = 0; scope < SG_SCOPE_COUNT; scope++) {
        bool write = access->write & 1u << scope;
        if (write || access->read & 1u << scope)
            text = sg_arena_printf(arena, "%s%s%s:%s", text, *text ? " " : "", names[scope],
                                   write ? "write" : "read");
    }
    return text;
}

const struct sg_role *sg_role_find(const char *name)
{
    for (size_t i = 0; i < sg_role_count; i++)
        if (strcmp(sg_roles[i].name, name) == 0)
            return &sg_roles[i];
    return NULL;
}

bool sg_access_of(const char *role, bool tenant, const char *scope, struct sg_access *access_r,
                  struct sg_error *err)
{
    const struct sg_role *r = sg_role_find(role);
    struct sg_access all = {ALL, ALL}, narrowed = all;
    struct sg_error why = {0};
    if (!r)
        return sg_fail(err, SG_E_FORBIDDEN, "a role that this version does not know");
    if (tenant ? !r->tenant : !r->platform)
        return sg_fail(err, SG_E_FORBIDDEN, "the role %s is not for %s", r->name,
                       tenant ? "a tenant" : "the whole platform");
    if (scope && !sg_access_parse(scope, &narrowed, &why))
        return sg_fail(err, SG_E_FORBIDDEN, "a scope that this version does not know");
    *access_r = (struct sg_access){
        .read = (r->access.read | r->access.write) & (narrowed.read | narrowed.write),
        .write = r->access.write & narrowed.write,
    };
    return true;
}
