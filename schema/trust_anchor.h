/* The accredited roots. */
#ifndef SG_SCHEMA_TRUST_ANCHOR_H
#define SG_SCHEMA_TRUST_ANCHOR_H

#include "schema/db.h"

/* All of them, DER. */
SG_MUST_USE bool sg_trust_anchor_list(struct sg_db *db, struct sg_arena *arena,
                                      struct sg_bytes **ders_r, size_t *count_r,
                                      struct sg_error *err);

#endif
