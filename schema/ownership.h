/* Proof of domains' ownership (REQ-135) and of their postmaster (REQ-182), as tenantd works on it.
 */
#ifndef SG_SCHEMA_OWNERSHIP_H
#define SG_SCHEMA_OWNERSHIP_H

#include "schema/db.h"

struct sg_ownership_row {
    const char *domain_id, *tenant_id, *name, *state;
    const char *challenge; /* the value of the TXT record; "": none is asked for */
    sg_time asked_at, missing_since;
    int attempts, notices;
};

SG_MUST_USE bool sg_ownership_find(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                                   struct sg_ownership_row *row_r, bool *found_r,
                                   struct sg_error *err);
/* The same within a transaction, with both its rows locked. */
SG_MUST_USE bool sg_ownership_lock(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                                   struct sg_ownership_row *row_r, bool *found_r,
                                   struct sg_error *err);

/* What a look at the DNS has shown and what follows; times 0: none. */
struct sg_ownership_checked {
    const char *domain_id;
    const char *result; /* "found", "missing", "bogus", "unavailable" */
    const char *dnssec; /* "secure", "insecure", "bogus"; "": not known */
    const char *last_error;
    sg_time deadline_at, next_check_at, missing_since, suspend_at;
    int attempts, notices;
    bool verified; /* now: its method is dns from now on */
    bool give_up;  /* the challenge is not looked for any more */
};
SG_MUST_USE bool sg_ownership_checked(struct sg_tx *tx, const struct sg_ownership_checked *checked,
                                      struct sg_error *err);

/* Another domain of this name that is owned; locked. */
SG_MUST_USE bool sg_ownership_rival(struct sg_tx *tx, struct sg_arena *arena, const char *name,
                                    const char *not_domain_id, const char **domain_id_r,
                                    const char **tenant_id_r, const char **state_r,
                                    struct sg_error *err);
/* It is looked at soon, where it is looked at at all. */
SG_MUST_USE bool sg_ownership_hurry(struct sg_tx *tx, const char *domain_id, struct sg_error *err);
/* Not looked at any more: the domain was revoked. */
SG_MUST_USE bool sg_ownership_close(struct sg_tx *tx, const char *domain_id, struct sg_error *err);

/* Makes jobs domain.check for up to limit domains that are due; how many were due. */
SG_MUST_USE bool sg_ownership_due(struct sg_db *db, sg_time now, int limit, int *count_r,
                                  struct sg_error *err);

/* Who is told of a domain, at most limit: its postmaster, the tenant's technical contacts, and
 * postmasters of its other domains that mail goes for. Not every one need be an address. */
SG_MUST_USE bool sg_ownership_contacts(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *tenant_id, const char *domain_id, int limit,
                                       const char ***addresses_r, size_t *count_r,
                                       struct sg_error *err);

/* A code is on its way; hash: the 32 bytes of sg_postmaster_hash. */
SG_MUST_USE bool sg_postmaster_sent(struct sg_tx *tx, const char *domain_id, struct sg_bytes hash,
                                    sg_time expires_at, struct sg_error *err);
SG_MUST_USE bool sg_postmaster_failed(struct sg_tx *tx, const char *domain_id, const char *words,
                                      struct sg_error *err);
/* SHA-256 of the domain's id and the code. */
SG_MUST_USE bool sg_postmaster_hash(const char *domain_id, const char *code, uint8_t hash[32],
                                    struct sg_error *err);

#endif
