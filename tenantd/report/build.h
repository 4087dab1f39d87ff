/* For this folder: putting a report's data together (report/report.h says what it holds). */
#ifndef SG_REPORTING_BUILD_H
#define SG_REPORTING_BUILD_H

#include "report/report.h"
#include "reporting/reporting.h"
#include "schema/report.h"

struct sg_build {
    struct sg_tx *tx;
    struct sg_arena *arena;
    const struct sg_reporting *settings;
    const char *kind;
    struct sg_report_period period;
    struct sg_report_scope scope;
    json_t *data;
};

/* The kinds of report: what each is called, and who writes its sections. */
struct sg_report_kind {
    const char *name, *title;
    bool is_signed; /* the platform's, before it goes out */
    bool (*write)(struct sg_build *b, struct sg_error *err);
};
const struct sg_report_kind *sg_report_kind_find(const char *name);

bool sg_report_availability(struct sg_build *b, struct sg_error *err);
/* Its figures alone, as a section of another report. */
bool sg_report_availability_in_short(struct sg_build *b, struct sg_error *err);
bool sg_report_breach(struct sg_build *b, struct sg_error *err);
bool sg_report_compliance(struct sg_build *b, struct sg_error *err);
bool sg_report_service(struct sg_build *b, struct sg_error *err);
bool sg_report_usage(struct sg_build *b, struct sg_error *err);

/* The pieces. Sections belong to data, everything else to its section. */
json_t *sg_build_section(struct sg_build *b, const char *id, const char *title, const char *method,
                         const int *requirements);
/* value is taken over. */
void sg_build_figure(json_t *section, const char *name, const char *label, json_t *value,
                     const char *unit);
void sg_build_sentence(struct sg_build *b, const char *fmt, ...) SG_PRINTF(2, 3);
void sg_build_missing(struct sg_build *b, const char *fmt, ...) SG_PRINTF(2, 3);

struct sg_build_label {
    const char *name, *label;
    const char *type; /* of a column; of a figure, its unit */
};
/* The members of an object of figures (schema/report.h) that are named. */
bool sg_build_figures(struct sg_build *b, json_t *section, enum sg_report_table table,
                      const struct sg_build_label *labels, size_t count, struct sg_error *err);
/* A table of rows; rows_r may be NULL. */
bool sg_build_table(struct sg_build *b, json_t *section, const char *id, const char *title,
                    enum sg_report_table table, const struct sg_build_label *columns, size_t count,
                    const json_t **rows_r, struct sg_error *err);
/* The same with rows that were made here; taken over. */
void sg_build_rows(json_t *section, const char *id, const char *title,
                   const struct sg_build_label *columns, size_t count, json_t *rows);
/* chart is taken over. */
void sg_build_chart(json_t *section, json_t *chart);
/* JSON of the database; owned. */
json_t *sg_build_read(struct sg_build *b, enum sg_report_table table, struct sg_error *err);

/* part of whole in percent with three decimals, rounded down: a share is never stated higher than
 * it was. Of nothing: 100. */
json_t *sg_build_percent(int64_t part, int64_t whole);

/* Where now differs from before, in words; and what of the log had changed. */
json_t *sg_report_differ(const json_t *before, const json_t *now, const json_t *log_before,
                         const json_t *log_now);

#endif
