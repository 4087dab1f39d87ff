/*
 * The rows of a result in one block of memory, as small as they are: libpq's own take 2 KiB and
 * more, however little is in them. Inside schema/ alone.
 */
#ifndef SG_SCHEMA_KEPT_ROWS_H
#define SG_SCHEMA_KEPT_ROWS_H

#include "common/bytes.h"

#include <libpq-fe.h>

struct sg_kept_rows;

/* A copy, for free(); *bytes_r is what it takes. */
struct sg_kept_rows *sg_kept_rows_new(const PGresult *result, size_t *bytes_r);

int sg_kept_rows_count(const struct sg_kept_rows *rows);
int sg_kept_rows_columns(const struct sg_kept_rows *rows);
Oid sg_kept_rows_type(const struct sg_kept_rows *rows, int column);
/* Borrowed; data is NULL for NULL. */
struct sg_bytes sg_kept_rows_cell(const struct sg_kept_rows *rows, int row, int column);

#endif
