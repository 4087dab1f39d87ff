#include "schema/kept_rows.h"

#include <stdlib.h>
#include <string.h>

#define IS_NULL UINT32_MAX

struct cell {
    uint32_t at, len; /* IS_NULL: the length of NULL */
};

struct sg_kept_rows {
    int rows, columns;
    const Oid *types;
    const struct cell *cells; /* row by row */
    const uint8_t *data;
    uint32_t block[]; /* cells, types, data */
};

static size_t data_size(const PGresult *r, int rows, int columns)
{
    size_t size = 0;
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            size += (size_t)PQgetlength(r, row, column); /* 0 for NULL */
    return size;
}

static void fill(const PGresult *r, struct cell *cells, uint8_t *data, int rows, int columns)
{
    uint32_t at = 0;
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++, cells++) {
            uint32_t len = (uint32_t)PQgetlength(r, row, column);
            *cells = (struct cell){at, PQgetisnull(r, row, column) ? IS_NULL : len};
            memcpy(data + at, PQgetvalue(r, row, column), len);
            at += len;
        }
    }
}

struct sg_kept_rows *sg_kept_rows_new(const PGresult *result, size_t *bytes_r)
{
    int rows = PQntuples(result), columns = PQnfields(result);
    size_t cells = sizeof(struct cell) * (size_t)rows * (size_t)columns;
    size_t types = sizeof(Oid) * (size_t)columns, content = data_size(result, rows, columns);
    struct sg_kept_rows *kept = malloc(sizeof *kept + cells + types + content);
    if (!kept || content >= IS_NULL)
        abort(); /* libpq has no result as large */
    struct cell *cell = (struct cell *)kept->block;
    Oid *type = (Oid *)((uint8_t *)kept->block + cells);
    uint8_t *data = (uint8_t *)kept->block + cells + types;
    for (int column = 0; column < columns; column++)
        type[column] = PQftype(result, column);
    fill(result, cell, data, rows, columns);
    kept->rows = rows;
    kept->columns = columns;
    kept->types = type;
    kept->cells = cell;
    kept->data = data;
    *bytes_r = sizeof *kept + cells + types + content;
    return kept;
}

int sg_kept_rows_count(const struct sg_kept_rows *rows)
{
    return rows->rows;
}

int sg_kept_rows_columns(const struct sg_kept_rows *rows)
{
    return rows->columns;
}

Oid sg_kept_rows_type(const struct sg_kept_rows *rows, int column)
{
    return rows->types[column];
}

struct sg_bytes sg_kept_rows_cell(const struct sg_kept_rows *rows, int row, int column)
{
    const struct cell *cell = &rows->cells[row * rows->columns + column];
    return cell->len == IS_NULL ? (struct sg_bytes){0}
                                : sg_bytes_of(rows->data + cell->at, cell->len);
}
