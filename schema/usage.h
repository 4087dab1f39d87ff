/*
 * Usage of tenants per month, for billing: counted in the log, frozen when the month is closed, and
 * adjusted in the open when something comes to light later. Months are of the platform's time zone.
 */
#ifndef SG_SCHEMA_USAGE_H
#define SG_SCHEMA_USAGE_H

#include "schema/api_page.h"

/* The numbers of a month, in their order in every row. */
#define SG_USAGE_NUMBERS 13
extern const char *const sg_usage_names[SG_USAGE_NUMBERS];

struct sg_api_usage {
    struct sg_api_key key;           /* the tenant, by its creation */
    const char *tenant_name, *month; /* "2026-11-01" */
    int64_t numbers[SG_USAGE_NUMBERS];
    int64_t adjustments; /* made since it was closed, and part of the numbers */
    sg_time closed_at;   /* 0: still open, the numbers of now */
    const char *time_zone;
};

struct sg_api_usage_revision {
    int64_t revision; /* 0: as it was closed; others: differences */
    sg_time made_at;
    const char *watermark; /* the snapshot of the database that was read */
    int64_t numbers[SG_USAGE_NUMBERS];
};

/* A tenant's month ("2026-11-01") of the zone in which it begins at midnight: what is counted at
 * once, for a statement has a time-out, and the month of a large platform takes longer. */
struct sg_usage_part {
    const char *month, *time_zone, *tenant_id;
};
/* Of the earliest month of time_zone behind after ("-infinity") that ended lag_ms ago or earlier,
 * the tenants for whom it is not closed. *count_r 0: there is no such month. */
SG_MUST_USE bool sg_usage_due(struct sg_tx *tx, struct sg_arena *arena, const char *time_zone,
                              int64_t lag_ms, const char *after, struct sg_usage_part **parts_r,
                              size_t *count_r, struct sg_error *err);
/* Counts it and closes it. What is there already is left as it is, *closed_r false. */
SG_MUST_USE bool sg_usage_close(struct sg_tx *tx, const struct sg_usage_part *part, bool *closed_r,
                                struct sg_error *err);
/* What is closed of the months that began since, the youngest first. */
SG_MUST_USE bool sg_usage_closed_list(struct sg_tx *tx, struct sg_arena *arena, sg_time since,
                                      struct sg_usage_part **parts_r, size_t *count_r,
                                      struct sg_error *err);
/* Counts it again. *adjusted_r: there was a difference. */
SG_MUST_USE bool sg_usage_adjust(struct sg_tx *tx, const struct sg_usage_part *part,
                                 bool *adjusted_r, struct sg_error *err);

/* month NULL: the current one. tenant_id NULL: each tenant. */
SG_MUST_USE bool sg_api_usage_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const char *month, const struct sg_api_page *page,
                                   struct sg_api_usage **rows_r, size_t *count_r,
                                   struct sg_error *err);
SG_MUST_USE bool sg_api_usage_revisions(struct sg_tx *tx, struct sg_arena *arena,
                                        const char *tenant_id, const char *month,
                                        struct sg_api_usage_revision **rows_r, size_t *count_r,
                                        struct sg_error *err);

#endif
