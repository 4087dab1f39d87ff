/*
 * For the aggregates of this folder alone: prepared queries with typed parameters and columns.
 *
 *     struct sg_params p = {0};
 *     sg_param_text(&p, name);
 *     SG_AUTO_ROWS rows = {0};
 *     if (!sg_tx_query(tx, SG_Q_DOMAIN_FIND, &p, &rows, err))
 *         return false;
 *     for (int i = 0; i < rows.count; i++) {
 *         struct sg_row r = sg_row_at(&rows, i, arena);
 *         row->id = sg_row_text(&r);
 *         row->created_at = sg_row_time(&r);
 *         if (!sg_row_end(&r, err))
 *             return false;
 *     }
 *
 * A query lies in schema/queries/NAME.sql and is called SG_Q_NAME; it is prepared on a connection
 * at its first use. Results come in binary: select text (or text domains), int4, int8, bool,
 * timestamptz, bytea, text[], bytea[]; cast others (jsonb, inet, date) to text.
 */
#ifndef SG_SCHEMA_DB_INTERNAL_H
#define SG_SCHEMA_DB_INTERNAL_H

#include "schema/db.h"

#include "embedded.h" /* made by tools/embed-sql: enum sg_query */

#include <libpq-fe.h>

#define SG_PARAMS_MAX 32

/* Parameters $1, $2 … in the order in which they are added. Views are borrowed until the query
 * has been run. Zeroed at first; numbers and times live inside, so it must not be copied. */
struct sg_params {
    int count;
    const char *values[SG_PARAMS_MAX];
    int lengths[SG_PARAMS_MAX];
    int formats[SG_PARAMS_MAX];
    char numbers[SG_PARAMS_MAX][40];
};

void sg_param_null(struct sg_params *p);
/* NULL is SQL's NULL. */
void sg_param_text(struct sg_params *p, const char *s);
/* bytea; a view without data is NULL. */
void sg_param_bytes(struct sg_params *p, struct sg_bytes b);
void sg_param_int(struct sg_params *p, int64_t n);
void sg_param_bool(struct sg_params *p, bool b);
/* timestamptz */
void sg_param_time(struct sg_params *p, sg_time t);
/* timestamptz, NULL for 0 */
void sg_param_time_or_null(struct sg_params *p, sg_time t);

/* Arrays, built in the arena: text[] (NULL items are NULLs), bytea[], int8[], timestamptz[]. */
void sg_param_texts(struct sg_params *p, struct sg_arena *arena, const char *const *items,
                    size_t count);
void sg_param_bytes_array(struct sg_params *p, struct sg_arena *arena, const struct sg_bytes *items,
                          size_t count);
void sg_param_ints(struct sg_params *p, struct sg_arena *arena, const int64_t *items, size_t count);
void sg_param_times(struct sg_params *p, struct sg_arena *arena, const sg_time *items,
                    size_t count);

struct sg_kept_rows;
struct sg_rows {
    PGresult *result;
    const struct sg_kept_rows *kept; /* in the place of a result; the cache's */
    int count;                       /* of rows */
    int affected;                    /* by INSERT, UPDATE, DELETE */
};
void sg_rows_clear(struct sg_rows *rows);
#define SG_AUTO_ROWS __attribute__((cleanup(sg_rows_clear))) struct sg_rows

/* Runs a query; params and rows may be NULL. */
SG_MUST_USE bool sg_tx_query(struct sg_tx *tx, enum sg_query query, const struct sg_params *params,
                             struct sg_rows *rows, struct sg_error *err);
/* The same, and fails with SG_E_NOT_FOUND unless exactly one row came or was changed. what is for
 * the text: "no such domain". */
SG_MUST_USE bool sg_tx_query_one(struct sg_tx *tx, enum sg_query query,
                                 const struct sg_params *params, struct sg_rows *rows,
                                 const char *what, struct sg_error *err);

/* A row, read column by column in the order of the SELECT. Values are copied into the arena. */
struct sg_row {
    const struct sg_rows *rows;
    struct sg_arena *arena;
    int row, column;
    bool bad; /* a column had another type, or there were fewer columns */
};
struct sg_row sg_row_at(const struct sg_rows *rows, int row, struct sg_arena *arena);
/* NULL reads as NULL (text), an empty view, 0 or false. */
/* Of the next column, which stays the next one. */
bool sg_row_is_null(const struct sg_row *row);
const char *sg_row_text(struct sg_row *row);
struct sg_bytes sg_row_bytes(struct sg_row *row);
int64_t sg_row_int(struct sg_row *row);
bool sg_row_bool(struct sg_row *row);
sg_time sg_row_time(struct sg_row *row);
const char **sg_row_texts(struct sg_row *row, size_t *count_r);
struct sg_bytes *sg_row_bytes_array(struct sg_row *row, size_t *count_r);
/* SG_E_SCHEMA unless every column was read as what it is. */
SG_MUST_USE bool sg_row_end(const struct sg_row *row, struct sg_error *err);

/*
 * An aggregate's function that is a transaction of its own, of one query, in the pool's own
 * context. take is called for each row.
 */
typedef bool (*sg_take_fn)(struct sg_row *row, int index, int count, void *arg,
                           struct sg_error *err);
SG_MUST_USE bool sg_db_read(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                            const struct sg_params *params, sg_take_fn take, void *arg,
                            struct sg_error *err);
/* What is due, under a lease: a query of now, the lease in milliseconds, how many at most, the
 * node, and how much longer a lease counts for the others. */
SG_MUST_USE bool sg_db_claim(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                             sg_time now, const struct sg_claim *claim, sg_take_fn take, void *arg,
                             struct sg_error *err);
/* The same for at most one row, which fill reads; found_r false: there is none. */
typedef void (*sg_fill_fn)(struct sg_row *row, void *item);
SG_MUST_USE bool sg_db_find(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                            const struct sg_params *params, sg_fill_fn fill, void *item,
                            bool *found_r, struct sg_error *err);
/* Within a transaction. */
SG_MUST_USE bool sg_tx_find(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                            const struct sg_params *params, sg_fill_fn fill, void *item,
                            bool *found_r, struct sg_error *err);
/* The same for a change; affected_r may be NULL. */
SG_MUST_USE bool sg_db_change(struct sg_db *db, enum sg_query query, const struct sg_params *params,
                              int *affected_r, struct sg_error *err);

#endif
