/* For api_*.c alone: lists and single rows read by one function a row. */
#ifndef SG_SCHEMA_API_INTERNAL_H
#define SG_SCHEMA_API_INTERNAL_H

#include "schema/api_page.h"
#include "schema/db_internal.h"

/* The three parameters of a page: time, id, limit + 1. */
void sg_param_page(struct sg_params *p, const struct sg_api_page *page);

/* The two parameters of what belongs to a domain. */
void sg_param_domain(struct sg_params *p, const char *tenant_id, const char *domain_id);

/* The two columns of a key: id, time. */
void sg_row_key(struct sg_row *row, struct sg_api_key *key);

/* NULL after an error; items of size bytes, zeroed before take fills them. */
SG_MUST_USE void *sg_api_rows(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                              const struct sg_params *params, sg_fill_fn take, size_t size,
                              size_t *count_r, struct sg_error *err);
/* A page of what belongs to a domain, likewise. */
SG_MUST_USE void *sg_api_domain_rows(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                                     const char *tenant_id, const char *domain_id,
                                     const struct sg_api_page *page, sg_fill_fn take, size_t size,
                                     size_t *count_r, struct sg_error *err);
/* Exactly one row, else SG_E_NOT_FOUND with what as its detail. */
SG_MUST_USE bool sg_api_row(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                            const struct sg_params *params, sg_fill_fn take, void *item,
                            const char *what, struct sg_error *err);
/* An update of one row that has to be in a certain state, else SG_E_CONFLICT with what as its
 * detail. */
SG_MUST_USE bool sg_api_change(struct sg_tx *tx, enum sg_query query,
                               const struct sg_params *params, const char *what,
                               struct sg_error *err);

/* api_incident.c: what people noted of an incident or a breach. */
struct sg_api_note;
SG_MUST_USE bool sg_api_notes(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                              const char *id, struct sg_api_note **notes_r, size_t *count_r,
                              struct sg_error *err);

#endif
