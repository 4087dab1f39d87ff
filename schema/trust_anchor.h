/* The accredited roots, and those that a domain has besides (REQ-180). */
#ifndef SG_SCHEMA_TRUST_ANCHOR_H
#define SG_SCHEMA_TRUST_ANCHOR_H

#include "schema/db.h"

/* All of them, DER. */
SG_MUST_USE bool sg_trust_anchor_list(struct sg_db *db, struct sg_arena *arena,
                                      struct sg_bytes **ders_r, size_t *count_r,
                                      struct sg_error *err);
/* A domain's further roots, DER; none are no error. */
SG_MUST_USE bool sg_domain_anchor_list(struct sg_db *db, struct sg_arena *arena,
                                       const char *domain_id, struct sg_bytes **ders_r,
                                       size_t *count_r, struct sg_error *err);

#endif
