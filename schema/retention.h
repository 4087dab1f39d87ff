/*
 * Deletion by retention policy (REQ-133, 117): what is kept how long, what is beyond it, and the
 * record of each disposal. The functions of the database look the policy up themselves, so that
 * nobody who calls them can delete more than it says; nothing of a tenant under a legal hold goes.
 */
#ifndef SG_SCHEMA_RETENTION_H
#define SG_SCHEMA_RETENTION_H

#include "schema/api_page.h"

/* Drops the oldest month of a table in which nobody's rows must be kept, with its record; *name_r
 * in the arena, NULL: there is none. */
SG_MUST_USE bool sg_disposal_partition(struct sg_tx *tx, struct sg_arena *arena,
                                       const char **name_r, struct sg_error *err);
/* Deletes at most `most` rows of a table and tenant (NULL: the platform's own), with their record;
 * *deleted_r 0: there are no more. */
SG_MUST_USE bool sg_disposal_rows(struct sg_tx *tx, const char *relation, const char *tenant_id,
                                  int most, int64_t *deleted_r, struct sg_error *err);

struct sg_disposal_due {
    const char *class, *relation, *tenant_id; /* tenant_id NULL: the platform's own */
    sg_time cutoff;
    int64_t rows;
    sg_time oldest;
};
/* What would go now; tenant_id NULL: of everybody. Of a table and tenant at most `most` rows are
 * counted (0: all): whoever asks only whether there are any does not wait for a count. */
SG_MUST_USE bool sg_disposal_preview(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, int64_t most,
                                     struct sg_disposal_due **rows_r, size_t *count_r,
                                     struct sg_error *err);

struct sg_api_disposal {
    struct sg_api_key key; /* at */
    const char *class, *tenant_id, *method, *relation;
    int64_t rows;
    sg_time oldest, newest, cutoff;
    const char *policy, *actor;
};
/* tenant_id NULL: of everybody; class NULL: of each. */
SG_MUST_USE bool sg_api_disposal_list(struct sg_tx *tx, struct sg_arena *arena,
                                      const char *tenant_id, const char *class,
                                      const struct sg_api_page *page,
                                      struct sg_api_disposal **rows_r, size_t *count_r,
                                      struct sg_error *err);

struct sg_api_retention {
    const char *class;
    int64_t months, floor_months, ceiling_months;
    const char *about;
    int64_t effective_months;
    bool own; /* the tenant has a policy of its own */
};
SG_MUST_USE bool sg_api_retention_list(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *tenant_id, struct sg_api_retention **rows_r,
                                       size_t *count_r, struct sg_error *err);
/* The platform's. SG_E_INVALID: months outside of floor and ceiling. */
SG_MUST_USE bool sg_api_retention_set(struct sg_tx *tx, const struct sg_api_retention *row,
                                      struct sg_error *err);
/* A tenant's own; months 0: none any more. SG_E_INVALID: beyond the limits of the class. */
SG_MUST_USE bool sg_api_retention_policy_set(struct sg_tx *tx, const char *tenant_id,
                                             const char *class, int64_t months,
                                             struct sg_error *err);

struct sg_api_legal_hold {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *words, *created_by;
    sg_time lifted_at; /* 0: it stands */
    const char *lifted_by;
};
SG_MUST_USE bool sg_api_legal_hold_list(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *tenant_id, const struct sg_api_page *page,
                                        struct sg_api_legal_hold **rows_r, size_t *count_r,
                                        struct sg_error *err);
/* Waits for those who have begun to delete: once it is committed nothing of the tenant goes. */
SG_MUST_USE bool sg_api_legal_hold_insert(struct sg_tx *tx, struct sg_arena *arena,
                                          const char *tenant_id, const char *words,
                                          struct sg_api_legal_hold *row_r, struct sg_error *err);
/* SG_E_CONFLICT while one of the tenant stands: what people delete by hand waits for its end too.
 */
SG_MUST_USE bool sg_legal_hold_none(struct sg_tx *tx, const char *tenant_id, struct sg_error *err);
/* SG_E_NOT_FOUND also where it was lifted already. */
SG_MUST_USE bool sg_api_legal_hold_lift(struct sg_tx *tx, const char *tenant_id, const char *id,
                                        struct sg_error *err);

#endif
