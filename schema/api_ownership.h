/* Who owns a domain, and its postmaster, as the REST API sees them (REQ-135, 182). */
#ifndef SG_SCHEMA_API_OWNERSHIP_H
#define SG_SCHEMA_API_OWNERSHIP_H

#include "schema/api_domain.h"

#define SG_CHALLENGE_LABEL "_sealgate-challenge"

struct sg_api_verification {
    const char *domain_id, *name, *state;
    const char *method;    /* "attested", "dns" */
    const char *challenge; /* the value of the TXT record; "": none is asked for */
    const char *result, *dnssec, *last_error;
    int64_t attempts;
    sg_time asked_at, deadline_at, checked_at, next_check_at, missing_since, suspend_at,
        verified_at; /* 0: not */
};

SG_MUST_USE bool sg_api_verification_find(struct sg_tx *tx, struct sg_arena *arena,
                                          const char *domain_id, struct sg_api_verification *row_r,
                                          struct sg_error *err);
/* A new challenge, looked for at once. SG_E_CONFLICT where the domain's state has none. */
SG_MUST_USE bool sg_api_verification_ask(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *domain_id, struct sg_api_verification *row_r,
                                         struct sg_error *err);
/* Revoked for good. */
SG_MUST_USE bool sg_api_domain_revoke(struct sg_tx *tx, struct sg_arena *arena,
                                      const char *domain_id, struct sg_error *err);
/* A claim that came to nothing is deleted; SG_E_CONFLICT where the domain was ever owned, has a key
 * or is just being checked. */
SG_MUST_USE bool sg_api_domain_delete(struct sg_tx *tx, struct sg_arena *arena,
                                      const char *domain_id, struct sg_error *err);

/* Limits of a postmaster's code. */
#define SG_POSTMASTER_TRIES   5
#define SG_POSTMASTER_PAUSE_S 60 /* from one mail to the next */
#define SG_POSTMASTER_PER_DAY 10

struct sg_api_postmaster {
    const char *domain_id, *name;
    const char *state; /* "unverified", "asked", "sent", "failed", "verified" */
    sg_time asked_at, sent_at, expires_at, verified_at;
    int64_t tries;
    const char *last_error;
};

SG_MUST_USE bool sg_api_postmaster_find(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *domain_id, struct sg_api_postmaster *row_r,
                                        struct sg_error *err);
/* A code is asked for. SG_E_RATE with *wait_s_r where it is too soon or too often. */
SG_MUST_USE bool sg_api_postmaster_ask(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_api_domain *domain, int64_t *wait_s_r,
                                       struct sg_api_postmaster *row_r, struct sg_error *err);
/* *right_r: it was the code. A wrong one is counted; SG_E_CONFLICT where there is none to confirm.
 */
SG_MUST_USE bool sg_api_postmaster_confirm(struct sg_tx *tx, struct sg_arena *arena,
                                           const char *domain_id, const char *code, bool *right_r,
                                           struct sg_api_postmaster *row_r, struct sg_error *err);

#endif
