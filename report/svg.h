/*
 * Charts as inline SVG. Each has "id", "kind", "title" and "table" (the id of the table of the same
 * section that it shows, and beside which it stands):
 *   bars      stacked columns: "label" (column of the text), "values": [columns], "colours":
 *             [numbers of style.c] (may be missing)
 *   hbars     a bar a row: "label", "value"
 *   timeline  a strip of 24 hours a day: "rows" (table with a row a day), "label" (its column); of
 *             "table": "day", "from" (minute of the day), "length" (minutes), "state" ("down",
 * "maintenance", "unmeasured")
 */
#ifndef SG_REPORT_SVG_H
#define SG_REPORT_SVG_H

#include "report/report_internal.h"

/* Nothing where the chart has nothing to show or is of no known kind. */
void sg_report_svg(const json_t *data, const json_t *section, const json_t *chart,
                   struct sg_buf *out);

#endif
