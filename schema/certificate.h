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
    const char *state; /* "installed", "active", "superseded", "revoked" */
};

/* Those that decrypt: of keys in use and of compromised ones (REQ-189), newest first. */
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
    const char *authority_id; /* NULL: brought by hand for a domain without one */
    sg_time renew_at;
    bool publication; /* it signs only when it is in the directory, unless no other can sign */
};
/*
 * Inserts it: as active, which supersedes those that are not newer; or as installed, where it is to
 * be seen in the directory first and another signs meanwhile. Idempotent: *id_r is the
 * certificate's id, that of an earlier row where this domain has it already. SG_E_CONFLICT where
 * another domain has it. Mail that waits for a certificate of ours is tried again.
 */
SG_MUST_USE bool sg_certificate_install(struct sg_tx *tx, struct sg_arena *arena,
                                        const struct sg_certificate_new *certificate,
                                        const char **id_r, struct sg_error *err);

/* Has the domain this certificate already, in whatever state? */
SG_MUST_USE bool sg_certificate_known(struct sg_db *db, const char *domain_id, struct sg_bytes der,
                                      bool *known_r, struct sg_error *err);

/* Is this a certificate of whichever domain here that its owner has had revoked? */
SG_MUST_USE bool sg_certificate_revoked(struct sg_db *db, struct sg_bytes sha256, bool *revoked_r,
                                        struct sg_error *err);

struct sg_certificate_found {
    const char *id, *tenant_id, *domain_id, *domain, *key_id, *state;
    struct sg_bytes der;
    struct sg_bytes *chain;
    size_t chain_count;
    const char *serial;
    sg_time not_before, not_after, created_at;
    const char *authority_id; /* NULL: none */
    const char *published;    /* "unchecked", "waiting", "overdue", "published" */
};
SG_MUST_USE bool sg_certificate_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                                     struct sg_certificate_found *row_r, bool *found_r,
                                     struct sg_error *err);

/* installed → active, others superseded; one that is not installed stays as it is. */
SG_MUST_USE bool sg_certificate_activate(struct sg_tx *tx, const struct sg_certificate_found *c,
                                         struct sg_error *err);
/* Does another one of the domain sign now? */
SG_MUST_USE bool sg_certificate_other_signs(struct sg_tx *tx, const char *domain_id, const char *id,
                                            bool *signs_r, struct sg_error *err);
SG_MUST_USE bool sg_certificate_published(struct sg_tx *tx, const char *id, const char *published,
                                          const char *words, struct sg_error *err);

#endif
