/* Hosted domains, and the tenant each belongs to. Strings live in the caller's arena. */
#ifndef SG_SCHEMA_DOMAIN_H
#define SG_SCHEMA_DOMAIN_H

#include "schema/db.h"

struct sg_domain_row {
    const char *id, *tenant_id;
    const char *name;        /* lower case */
    const char *environment; /* "seemail", "securemail" */
    const char *state; /* "attested", "verified", "suspended"; by id also others: domain_state.h */
    const char *tenant_name;
    const char *tenant_state; /* "active", "suspended", "closed" */
};

/* The owned domain (attested, verified or suspended) of that name, lower case. */
SG_MUST_USE bool sg_domain_find_by_name(struct sg_db *db, struct sg_arena *arena, const char *name,
                                        struct sg_domain_row *row_r, bool *found_r,
                                        struct sg_error *err);
SG_MUST_USE bool sg_domain_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                                struct sg_domain_row *row_r, bool *found_r, struct sg_error *err);

/* May mail go for it: the domain attested or verified, and its tenant active. */
static inline bool sg_domain_active(const struct sg_domain_row *row)
{
    return (strcmp(row->state, "attested") == 0 || strcmp(row->state, "verified") == 0) &&
           strcmp(row->tenant_state, "active") == 0;
}

/* Not now, but it may come back (REQ-135): its mail waits, and is not refused. */
static inline bool sg_domain_waits(const struct sg_domain_row *row)
{
    return !sg_domain_active(row) && strcmp(row->tenant_state, "closed") != 0;
}

#endif
