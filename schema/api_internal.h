/* For api_*.c alone: lists and single rows read by one function a row. */
#ifndef SG_SCHEMA_API_INTERNAL_H
#define SG_SCHEMA_API_INTERNAL_H

#include "schema/api_page.h"
#include "schema/db_internal.h"

/* The three parameters of a page: time, id, limit + 1. */
void sg_param_page(struct sg_params *p, const struct sg_api_page *page);

/* The two columns of a key: id, time. */
void sg_row_key(struct sg_row *row, struct sg_api_key *key);

typedef void (*sg_api_take)(struct sg_row *row, void *item);
/* NULL after an error; items of size bytes, zeroed before take fills them. */
SG_MUST_USE void *sg_api_rows(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                              const struct sg_params *params, sg_api_take take, size_t size,
                              size_t *count_r, struct sg_error *err);
/* Exactly one row, else SG_E_NOT_FOUND with what as its detail. */
SG_MUST_USE bool sg_api_row(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                            const struct sg_params *params, sg_api_take take, void *item,
                            const char *what, struct sg_error *err);

#endif
