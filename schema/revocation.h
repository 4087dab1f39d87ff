/* Certificates that are to be revoked at their authority, and compromises (REQ-174, 200). */
#ifndef SG_SCHEMA_REVOCATION_H
#define SG_SCHEMA_REVOCATION_H

#include "schema/certificate_order.h"

struct sg_revocation_row {
    const char *id, *tenant_id, *domain_id, *domain, *certificate_id;
    const char *reason; /* "keyCompromise", "cessationOfOperation", … (RFC 5280 §5.3.1) */
    const char *state;  /* "queued", "by_hand", "requested", "confirmed" */
    const char *explanation;
    sg_time requested_at, listed_at, removed_at, created_at;
    struct sg_bytes der;
    struct sg_bytes *chain;
    size_t chain_count;
    const char *serial;
    sg_time not_after;
    const char *authority_id; /* NULL: none is known */
};
SG_MUST_USE bool sg_revocation_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                                    struct sg_revocation_row *row_r, bool *found_r,
                                    struct sg_error *err);
/* state, explanation and the three times. */
SG_MUST_USE bool sg_revocation_update(struct sg_tx *tx, const struct sg_revocation_row *row,
                                      struct sg_error *err);

struct sg_compromise_row {
    const char *id, *tenant_id, *domain_id, *domain, *reason, *state;
    const char *order_id; /* NULL: none yet */
    const char *order_state, *order_explanation;
    sg_time order_next_at;
    const char *certificate_id; /* the new one; NULL: not yet */
    const char *certificate_state, *published;
    sg_time seen_at, certified_at;            /* of its publication; when it came; 0: not yet */
    sg_time told_at, all_listed, all_removed; /* the last of the revocations; 0: none yet */
    sg_time ordered_at, installed_at, released_at, revoked_at, published_at, removed_at, listed_at;
    sg_time created_at;
    bool begun;                        /* its job was here before */
    int64_t queued, unlisted, present; /* revocations not told; not on the list; in the directory */
    const char *waits_for;             /* written, not read */
};
SG_MUST_USE bool sg_compromise_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                                    struct sg_compromise_row *row_r, bool *found_r,
                                    struct sg_error *err);
SG_MUST_USE bool sg_compromise_update(struct sg_tx *tx, const struct sg_compromise_row *row,
                                      struct sg_error *err);

/* Up to limit of what goes on by itself and should have a job, behind after. */
SG_MUST_USE bool sg_revocation_open_list(struct sg_db *db, struct sg_arena *arena,
                                         const char *after, int limit, struct sg_pair **pairs_r,
                                         size_t *count_r, struct sg_error *err);
/* Certificates that have not ended, of domains that are revoked and tenants that are closed. */
SG_MUST_USE bool sg_certificate_gone_list(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                          const char *after, int limit, struct sg_pair **pairs_r,
                                          size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_compromise_open_list(struct sg_db *db, struct sg_arena *arena,
                                         const char *after, int limit, struct sg_pair **pairs_r,
                                         size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_publication_open_list(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                          const char *after, int limit, struct sg_pair **pairs_r,
                                          size_t *count_r, struct sg_error *err);

#endif
