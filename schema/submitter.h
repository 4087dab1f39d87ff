/* Who may submit mail for a tenant at the Postfix "out" edge (REQ-136). */
#ifndef SG_SCHEMA_SUBMITTER_H
#define SG_SCHEMA_SUBMITTER_H

#include "schema/db.h"

struct sg_submitter_row {
    const char *id, *tenant_id;
    const char *kind;         /* "network", "client_certificate" */
    const char *tenant_state; /* "active", "suspended" */
};

/*
 * The submitter that a client is: by certificate (fingerprint: SHA-256 of the DER in lower-case
 * hexadecimal, or ""), else by network. Of active and suspended tenants alone. A client_address
 * that is no address ("unknown") matches nothing.
 */
SG_MUST_USE bool sg_submitter_match(struct sg_db *db, struct sg_arena *arena,
                                    const char *client_address, const char *fingerprint,
                                    struct sg_submitter_row *row_r, bool *found_r,
                                    struct sg_error *err);

#endif
