/* For this folder alone: reading a report, and writing what strangers wrote. */
#ifndef SG_REPORT_INTERNAL_H
#define SG_REPORT_INTERNAL_H

#include "report/report.h"

/* Members; what is missing or of another type reads as "", 0, false or an empty array. */
const char *sg_report_text(const json_t *object, const char *name);
int64_t sg_report_int(const json_t *object, const char *name);
const json_t *sg_report_list(const json_t *object, const char *name);
/* The table of a section (section NULL: of any) by its id; NULL: none. */
const json_t *sg_report_table_find(const json_t *data, const json_t *section, const char *id);
/* Where a table has a column; -1: nowhere. */
int sg_report_column(const json_t *table, const char *name);
/* A cell as a number from 0 on; what is no such number is 0. */
int64_t sg_report_cell_int(const json_t *row, int column);
/* A value as text, "" for null; integer digits are grouped by group ("": not). buf has room for
 * what is no string. */
#define SG_REPORT_VALUE_TEXT 64
const char *sg_report_value(const json_t *value, const char *group, char buf[SG_REPORT_VALUE_TEXT]);

/* As text of HTML and of attributes in double quotes. Control characters and those that turn the
 * direction of writing become U+FFFD. */
void sg_report_put_text(struct sg_buf *out, const char *s);
/* The page's style sheet. */
extern const char sg_report_style[];

/* Inside a string of CSS in double quotes. */
void sg_report_put_css(struct sg_buf *out, const char *s);

#endif
