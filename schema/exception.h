/* A domain's S/MIME partners outside Secure Email (REQ-91). */
#ifndef SG_SCHEMA_EXCEPTION_H
#define SG_SCHEMA_EXCEPTION_H

#include "schema/db.h"

/* How many of these partners (lower case) are on the domain's list at a time. */
SG_MUST_USE bool sg_exception_count(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                                    const char *const *partners, size_t count, sg_time now,
                                    size_t *listed_r, struct sg_error *err);

#endif
