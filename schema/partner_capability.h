/* What partners' S/MIME software can do (REQ-84), by domain: learned from their mail, set by hand.
 */
#ifndef SG_SCHEMA_PARTNER_CAPABILITY_H
#define SG_SCHEMA_PARTNER_CAPABILITY_H

#include "schema/api_page.h"

struct sg_partner_capability {
    struct sg_api_key key; /* created_at */
    const char *domain;
    uint32_t learned;   /* OR of sg_smime_can; 0: nothing */
    sg_time signed_at;  /* when that was signed; 0: nothing was learned */
    const char *origin; /* of which mail it is */
    bool is_by_hand;    /* then by_hand counts, and nothing else */
    uint32_t by_hand;
    const char *reason;
    sg_time updated_at;
};
/* What counts. */
uint32_t sg_partner_capabilities(const struct sg_partner_capability *row);

SG_MUST_USE bool sg_partner_capability_find(struct sg_db *db, struct sg_arena *arena,
                                            const char *domain, struct sg_partner_capability *row_r,
                                            bool *found_r, struct sg_error *err);

struct sg_partner_lesson {
    const char *domain;
    uint32_t capabilities;
    sg_time signed_at, now;
    const char *origin;
    struct sg_bytes sha256; /* of the signer's certificate */
};
/* *learned_r false: a newer signature is known, or the certificate is none in use (refused, or
 * waiting for an administrator). */
SG_MUST_USE bool sg_partner_capability_learn(struct sg_db *db,
                                             const struct sg_partner_lesson *lesson,
                                             bool *learned_r, struct sg_error *err);

/* For the API: row's id (where the domain is new), domain, is_by_hand, by_hand and reason. */
SG_MUST_USE bool sg_api_capability_set(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_partner_capability *row,
                                       struct sg_partner_capability *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_capability_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                        struct sg_partner_capability *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_capability_delete(struct sg_tx *tx, const char *id, struct sg_error *err);
/* domain NULL: of all. */
SG_MUST_USE bool sg_api_capability_list(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *domain, const struct sg_api_page *page,
                                        struct sg_partner_capability **rows_r, size_t *count_r,
                                        struct sg_error *err);

#endif
