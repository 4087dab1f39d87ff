/* Inside schema/ alone: lists of an id and its tenant. */
#ifndef SG_SCHEMA_PAIR_H
#define SG_SCHEMA_PAIR_H

#include "schema/certificate_order.h"
#include "schema/db_internal.h"

SG_MUST_USE bool sg_pairs_read(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                               const struct sg_params *params, struct sg_pair **pairs_r,
                               size_t *count_r, struct sg_error *err);

#endif
