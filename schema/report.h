/*
 * Reports, as tenantd makes them: a month's bounds, the tables of numbers, what is due, and keeping
 * what was made. The REST API's side is api_report.h.
 */
#ifndef SG_SCHEMA_REPORT_H
#define SG_SCHEMA_REPORT_H

#include "schema/db.h"

/* A month of a time zone. */
struct sg_report_period {
    const char *month;                      /* "2026-10" */
    const char *zone;                       /* "Pacific/Auckland" */
    const char *name;                       /* "October 2026" */
    const char *begins_local, *until_local; /* "1 October 2026, 00:00" */
    sg_time begins_at, ends_at;
    sg_time until; /* ends_at, or the time of asking while the month is not over */
    bool complete;
};

/* SG_E_INVALID: no month, no such time zone, or a month that has not begun. */
SG_MUST_USE bool sg_report_period_find(struct sg_tx *tx, struct sg_arena *arena, const char *month,
                                       const char *zone, struct sg_report_period *period_r,
                                       struct sg_error *err);

/* Begins a transaction that reads tables: its queries are planned for what they are asked, for
 * one tenant is not all of them. */
SG_MUST_USE bool sg_report_begin(struct sg_tx *tx, struct sg_error *err);

/* What is counted of whom. */
struct sg_report_scope {
    const char *tenant_id; /* NULL: the platform, all tenants */
    sg_time from, until;
    const char *zone;
};

/* The tables and figures that can be asked for: queries/report_NAME.sql. */
#define SG_REPORT_TABLES(X)                                                                        \
    X(TRAFFIC)                                                                                     \
    X(TRAFFIC_DAYS)                                                                                \
    X(CODES)                                                                                       \
    X(PARTNERS)                                                                                    \
    X(HELD)                                                                                        \
    X(CERTIFICATES)                                                                                \
    X(AVAILABILITY)                                                                                \
    X(USAGE)                                                                                       \
    X(INCIDENTS)                                                                                   \
    X(DOMAINS)                                                                                     \
    X(BREACHES) X(WARNINGS) X(BREACH_DAYS) X(BREACH_TOTALS) X(EVIDENCE) X(ATTESTATIONS) X(WATERMARK)
#define SG_REPORT_TABLE_NAME(name) SG_REPORT_##name,
enum sg_report_table { SG_REPORT_TABLES(SG_REPORT_TABLE_NAME) SG_REPORT_TABLE_COUNT };

/* As JSON text: an array of rows (arrays of cells), or one object of figures. */
SG_MUST_USE bool sg_report_read(struct sg_tx *tx, struct sg_arena *arena,
                                enum sg_report_table table, const struct sg_report_scope *scope,
                                const char **json_r, struct sg_error *err);

/* The name of whom a report is about; SG_E_NOT_FOUND. */
SG_MUST_USE bool sg_report_tenant_name(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *tenant_id, const char **name_r,
                                       struct sg_error *err);

/* The current report; id NULL: there is none. Locks out others who make it, until the
 * transaction ends. */
struct sg_report_row {
    const char *id, *tenant_id, *kind, *period;
    int64_t revision;
    bool complete;
    const char *data, *watermark, *differs; /* JSON text */
    struct sg_bytes sha256;
    const char *made_by;
};
SG_MUST_USE bool sg_report_current(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const char *kind, const char *period,
                                   struct sg_report_row *row_r, struct sg_error *err);
/* Takes the place of the current one. */
SG_MUST_USE bool sg_report_insert(struct sg_tx *tx, const struct sg_report_row *row,
                                  int schema_version, struct sg_error *err);

/* Reports of closed months that are not there: those that ended between after and before, of
 * tenants (and the platform) that were there while they lasted. */
struct sg_report_due {
    const char *tenant_id, *kind, *period;
};
SG_MUST_USE bool sg_report_due_list(struct sg_tx *tx, struct sg_arena *arena, const char *zone,
                                    sg_time after, sg_time before, struct sg_report_due **rows_r,
                                    size_t *count_r, struct sg_error *err);

#endif
