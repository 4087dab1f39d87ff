/*
 * A report is one JSON object, "data", and the forms that are rendered from it. All of its numbers
 * stand in data; nothing is computed while rendering, so that every form says the same.
 *
 *   schema (1), kind, title, provider
 *   subject    tenant_id (null: the platform), name
 *   period     month, name, time_zone, begins_at, ends_at, until, begins_local, until_local,
 * complete summary    sentences sections   each: id, title, method (how its numbers were computed),
 * requirements (numbers), figures (name, label, value, unit), tables (id, title, columns (name,
 * label, type), rows (arrays of cells)), charts (id, kind, title, table, ...) missing    sentences:
 * what the report cannot say
 *
 * A figure whose label begins with a small letter is a part of the one above it.
 *
 * A value or a cell is an integer, a string, a boolean or null; a figure that is not whole
 * ("99.873") is a string of decimal digits, for binary fractions would not come out the same
 * everywhere. A column's type is text, words (longer ones), integer, decimal, date, time, boolean,
 * domain, or hidden (for charts; in CSV and JSON, not in HTML). Charts: see svg.h.
 *
 * What is rendered is the report as the API shows it: data and, around it, "id", "revision",
 * "state", "made_at", "made_by", "sha256", "signatures": [{"name", "title", "words", "signed_at"}].
 */
#ifndef SG_REPORT_REPORT_H
#define SG_REPORT_REPORT_H

#include "common/buf.h"
#include "common/error.h"

#include <jansson.h>

#define SG_REPORT_SCHEMA    1
#define SG_REPORT_SIZE_MAX  (32 << 20) /* bytes of a form */
#define SG_REPORT_HASH_SIZE 32

/*
 * The bytes that stand for data: UTF-8, members sorted by name, no white space; as Python's
 * json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False). And their SHA-256.
 */
SG_MUST_USE bool sg_report_canonical(const json_t *data, struct sg_buf *out, struct sg_error *err);
SG_MUST_USE bool sg_report_hash(const json_t *data, uint8_t hash[SG_REPORT_HASH_SIZE],
                                struct sg_error *err);

/* A page that needs nothing else: no script, no font, no picture of elsewhere. */
SG_MUST_USE bool sg_report_html(const json_t *report, struct sg_buf *out, struct sg_error *err);

/*
 * A table as RFC 4180: a line of column names, then the rows, lines ending CR LF. table NULL: the
 * figures of all sections (section, name, label, value, unit). A text that a spreadsheet would take
 * for a formula is preceded by an apostrophe. SG_E_NOT_FOUND: there is no table of that id.
 */
SG_MUST_USE bool sg_report_csv(const json_t *report, const char *table, struct sg_buf *out,
                               struct sg_error *err);

#endif
