/* A query that gives one column of DER. Inside schema/ alone. */
#ifndef SG_SCHEMA_DER_LIST_H
#define SG_SCHEMA_DER_LIST_H

#include "schema/db_internal.h"

SG_MUST_USE bool sg_der_list(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                             const struct sg_params *params, struct sg_bytes **ders_r,
                             size_t *count_r, struct sg_error *err);

#endif
