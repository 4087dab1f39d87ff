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

/* Tenants that are counted in one statement, of which each may take as long as [database]
 * statement_timeout: so many have some millions of messages a month together. */
#define SG_USAGE_PORTION 50

/* Closes, for a portion of the tenants, the earliest month of time_zone that ended lag_ms ago or
 * earlier and is not closed. What is there already is left as it is. *closed_r: of how many
 * tenants; 0: there is none left. */
SG_MUST_USE bool sg_usage_close(struct sg_tx *tx, const char *time_zone, int64_t lag_ms,
                                int64_t *closed_r, struct sg_error *err);

struct sg_usage_closed {
    const char *month, *time_zone; /* "2026-11-01", and where it began at midnight */
};
/* The closed months that began since. */
SG_MUST_USE bool sg_usage_closed_list(struct sg_tx *tx, struct sg_arena *arena, sg_time since,
                                      struct sg_usage_closed **rows_r, size_t *count_r,
                                      struct sg_error *err);
/* Counts a closed month again, for the portion of the tenants behind *after, "" for the first,
 * which becomes the last of them, "" where there was none. *adjusted_r: for how many there was a
 * difference. */
SG_MUST_USE bool sg_usage_adjust(struct sg_tx *tx, struct sg_arena *arena,
                                 const struct sg_usage_closed *closed, const char **after,
                                 int64_t *adjusted_r, struct sg_error *err);

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
