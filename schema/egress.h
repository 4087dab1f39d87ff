/* REQ-125: the networks that secure mail may be sent into, in CIDR form. None: nothing is checked.
 */
#ifndef SG_SCHEMA_EGRESS_H
#define SG_SCHEMA_EGRESS_H

#include "schema/db.h"

SG_MUST_USE bool sg_egress_list(struct sg_db *db, struct sg_arena *arena,
                                const char *const **networks_r, size_t *count_r,
                                struct sg_error *err);
SG_MUST_USE bool sg_api_egress_list(struct sg_tx *tx, struct sg_arena *arena,
                                    const char *const **networks_r, size_t *count_r,
                                    struct sg_error *err);
/* These and no others; each is written as PostgreSQL would write it. */
SG_MUST_USE bool sg_api_egress_set(struct sg_tx *tx, struct sg_arena *arena,
                                   const char *const *networks, size_t count, struct sg_error *err);

#endif
