/* Our own domains' certificates, each with its key: the newest signs (REQ-37), all decrypt
 * (REQ-38). */
#ifndef SG_SCHEMA_CERTIFICATE_H
#define SG_SCHEMA_CERTIFICATE_H

#include "schema/db.h"

struct sg_certificate_row {
    const char *id, *tenant_id, *domain_id;
    const char *key_id;
    const char *key_kind;     /* "token", "wrapped" */
    struct sg_bytes key_blob; /* of a wrapped key */
    struct sg_bytes der;
    struct sg_bytes *chain; /* intermediates, the leaf's issuer first */
    size_t chain_count;
    sg_time not_before, not_after;
    const char *state; /* "active", "superseded" */
};

/* Active and superseded ones whose key was not destroyed, newest first. */
SG_MUST_USE bool sg_certificate_list(struct sg_db *db, struct sg_arena *arena,
                                     const char *domain_id, struct sg_certificate_row **rows_r,
                                     size_t *count_r, struct sg_error *err);

/* What tenantd installs; subject and issuer as RFC 2253, serial in lower-case hexadecimal. */
struct sg_certificate_new {
    const char *id, *tenant_id, *domain_id, *key_id;
    struct sg_bytes der;
    const struct sg_bytes *chain;
    size_t chain_count;
    const char *subject, *issuer, *serial;
    sg_time not_before, not_after;
};
/*
 * Inserts it as active; active ones that are not newer become superseded. Idempotent: *id_r is the
 * certificate's id, that of an earlier row where this domain has it already. SG_E_CONFLICT where
 * another domain has it.
 */
SG_MUST_USE bool sg_certificate_install(struct sg_tx *tx, struct sg_arena *arena,
                                        const struct sg_certificate_new *certificate,
                                        const char **id_r, struct sg_error *err);

#endif
