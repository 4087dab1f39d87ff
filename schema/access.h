/*
 * Who may do what in the API (REQ-138): scopes (a kind of thing, to be read or to be written), and
 * roles that are sets of them. Used by apid for each request and by `tenantd token`. Both are names
 * in the database; migration 0002 has the same roles in a CHECK.
 */
#ifndef SG_SCHEMA_ACCESS_H
#define SG_SCHEMA_ACCESS_H

#include "common/arena.h"
#include "common/error.h"

/* clang-format off */
#define SG_SCOPES(X)                                                                               \
    X(tenants) X(contacts) X(domains) X(submitters) X(next_hops) X(keys) X(certificates)           \
    X(compromise) X(partners) X(anchors) X(authorities) X(directories) X(lists) X(exceptions)      \
    X(policies) X(held) X(messages) X(jobs) X(incidents) X(breaches) X(reports) X(usage)           \
    X(documents) X(tokens) X(clients) X(audit) X(retention) X(egress)
/* clang-format on */

enum sg_scope {
#define X(name) SG_SCOPE_##name,
    SG_SCOPES(X)
#undef X
        SG_SCOPE_COUNT
};
const char *sg_scope_name(enum sg_scope scope);

/* Two sets of scopes, a bit each. Who may write may read. */
struct sg_access {
    uint32_t read, write;
};
bool sg_access_may(const struct sg_access *access, enum sg_scope scope, bool write);
/* Is all of inner in outer? */
bool sg_access_within(const struct sg_access *inner, const struct sg_access *outer);

/*
 * A list of scopes as RFC 6749 §3.3 has it: "domains:read held:write". SG_E_INVALID where one is
 * not ours. Written in the order of SG_SCOPES, without what a :write contains.
 */
SG_MUST_USE bool sg_access_parse(const char *text, struct sg_access *access_r,
                                 struct sg_error *err);
const char *sg_access_text(struct sg_arena *arena, const struct sg_access *access);

struct sg_role {
    const char *name;
    bool platform, tenant; /* where it may be bound: to the whole platform, to one tenant */
    struct sg_access access;
};
extern const struct sg_role sg_roles[];
extern const size_t sg_role_count;
/* The names of sg_roles, ended by NULL. */
extern const char *const sg_role_names[];
/* NULL: no role of ours. */
const struct sg_role *sg_role_find(const char *name);

/*
 * What a token may do: its role's rights, less what its scope (NULL: all of the role) leaves out.
 * SG_E_FORBIDDEN: a role or scope that this version does not know, or a role that is not for a
 * tenant (or the platform, tenant false).
 */
SG_MUST_USE bool sg_access_of(const char *role, bool tenant, const char *scope,
                              struct sg_access *access_r, struct sg_error *err);

#endif
