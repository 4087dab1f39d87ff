#include "schema/conn.h"
#include "schema/kept_rows.h"
#include "schema/query_cache.h"

/* Types of columns (pg_type); a domain counts as what it is made of. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_VARCHAR = 1043,
    OID_TIMESTAMPTZ = 1184
};

#define PG_EPOCH_SECONDS 946684800 /* 2000-01-01 */

void sg_rows_clear(struct sg_rows *rows)
{
    PQclear(rows->result);
    *rows = (struct sg_rows){0};
}

bool sg_tx_query(struct sg_tx *tx, enum sg_query query, const struct sg_params *params,
                 struct sg_rows *rows, struct sg_error *err)
{
    return sg_conn_query(tx->conn, query, params, rows, err);
}

bool sg_tx_query_one(struct sg_tx *tx, enum sg_query query, const struct sg_params *params,
                     struct sg_rows *rows, const char *what, struct sg_error *err)
{
    SG_AUTO_ROWS own = {0};
    struct sg_rows *r = rows ? rows : &own;
    if (!sg_conn_query(tx->conn, query, params, r, err))
        return false;
    int n = PQnfields(r->result) > 0 ? r->count : r->affected;
    return n == 1 || sg_fail(err, n == 0 ? SG_E_NOT_FOUND : SG_E_DB_QUERY, "%s", what);
}

struct sg_row sg_row_at(const struct sg_rows *rows, int row, struct sg_arena *arena)
{
    return (struct sg_row){.rows = rows, .arena = arena, .row = row, .bad = row >= rows->count};
}

/* What libpq holds, or what is kept of it. */
static int columns_of(const struct sg_rows *rows)
{
    return rows->kept ? sg_kept_rows_columns(rows->kept) : PQnfields(rows->result);
}

static Oid type_of(const struct sg_rows *rows, int column)
{
    return rows->kept ? sg_kept_rows_type(rows->kept, column) : PQftype(rows->result, column);
}

static struct sg_bytes cell_of(const struct sg_rows *rows, int row, int column)
{
    if (rows->kept)
        return sg_kept_rows_cell(rows->kept, row, column);
    if (PQgetisnull(rows->result, row, column))
        return (struct sg_bytes){0};
    return sg_bytes_of(PQgetvalue(rows->result, row, column),
                       (size_t)PQgetlength(rows->result, row, column));
}

/* The next column's bytes; data is NULL for NULL and for a column of another type. */
static struct sg_bytes next(struct sg_row *row, Oid a, Oid b, Oid c, int fixed_len)
{
    const struct sg_rows *rows = row->rows;
    int column = row->column++;
    struct sg_bytes none = {0};
    if (row->bad || column >= columns_of(rows)) {
        row->bad = true;
        return none;
    }
    struct sg_bytes cell = cell_of(rows, row->row, column);
    if (!cell.data)
        return none;
    Oid type = type_of(rows, column);
    if ((type != a && type != b && type != c) || (fixed_len && cell.len != (size_t)fixed_len)) {
        row->bad = true;
        return none;
    }
    return cell;
}

bool sg_row_is_null(const struct sg_row *row)
{
    return !row->bad && row->column < columns_of(row->rows) &&
           !cell_of(row->rows, row->row, row->column).data;
}

static uint64_t number(struct sg_bytes b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b.len; i++)
        n = n << 8 | b.data[i];
    return n;
}

const char *sg_row_text(struct sg_row *row)
{
    struct sg_bytes b = next(row, OID_TEXT, OID_VARCHAR, OID_TEXT, 0);
    return b.data ? sg_arena_str(row->arena, b) : NULL;
}

struct sg_bytes sg_row_bytes(struct sg_row *row)
{
    struct sg_bytes b = next(row, OID_BYTEA, OID_BYTEA, OID_BYTEA, 0);
    return b.data ? sg_arena_copy(row->arena, b) : b;
}

int64_t sg_row_int(struct sg_row *row)
{
    struct sg_bytes b = next(row, OID_INT8, OID_INT4, OID_INT2, 0);
    if (!b.data)
        return 0;
    return b.len == 2 ? (int16_t)number(b) : b.len == 4 ? (int32_t)number(b) : (int64_t)number(b);
}

bool sg_row_bool(struct sg_row *row)
{
    struct sg_bytes b = next(row, OID_BOOL, OID_BOOL, OID_BOOL, 1);
    return b.data && b.data[0];
}

sg_time sg_row_time(struct sg_row *row)
{
    struct sg_bytes b = next(row, OID_TIMESTAMPTZ, OID_TIMESTAMPTZ, OID_TIMESTAMPTZ, 8);
    return b.data ? (sg_time)number(b) + PG_EPOCH_SECONDS * SG_SECOND : 0;
}

/* An array of one dimension in binary; see params.c. */
struct array {
    struct sg_bytes left;
    size_t count;
};

static bool take(struct sg_bytes *left, size_t n, struct sg_bytes *out)
{
    if (left->len < n)
        return false;
    *out = sg_bytes_slice(*left, 0, n);
    *left = sg_bytes_slice(*left, n, left->len - n);
    return true;
}

static struct array array_begin(struct sg_row *row, Oid type)
{
    struct array a = {.left = next(row, type, type, type, 0)};
    struct sg_bytes dims, skip, length;
    if (!a.left.data)
        return a;
    if (!take(&a.left, 4, &dims) || !take(&a.left, 8, &skip) || number(dims) > 1) {
        row->bad = true;
        return a;
    }
    if (number(dims) == 0)
        return a;
    if (!take(&a.left, 4, &length) || !take(&a.left, 4, &skip) || number(length) > a.left.len / 4) {
        row->bad = true;
        return a;
    }
    a.count = (size_t)number(length);
    return a;
}

static struct sg_bytes array_next(struct array *a, struct sg_row *row)
{
    struct sg_bytes len, item = {0};
    if (!take(&a->left, 4, &len)) {
        row->bad = true;
        return item;
    }
    int32_t n = (int32_t)number(len);
    if (n >= 0 && !take(&a->left, (size_t)n, &item))
        row->bad = true;
    return item;
}

const char **sg_row_texts(struct sg_row *row, size_t *count_r)
{
    struct array a = array_begin(row, OID_TEXT_ARRAY);
    const char **items = SG_ARENA_ARRAY(row->arena, const char *, a.count + 1);
    for (size_t i = 0; i < a.count; i++) {
        struct sg_bytes item = array_next(&a, row);
        items[i] = item.data ? sg_arena_str(row->arena, item) : NULL;
    }
    *count_r = a.count;
    return items;
}

struct sg_bytes *sg_row_bytes_array(struct sg_row *row, size_t *count_r)
{
    struct array a = array_begin(row, OID_BYTEA_ARRAY);
    struct sg_bytes *items = SG_ARENA_ARRAY(row->arena, struct sg_bytes, a.count + 1);
    for (size_t i = 0; i < a.count; i++)
        items[i] = sg_arena_copy(row->arena, array_next(&a, row));
    *count_r = a.count;
    return items;
}

bool sg_row_end(const struct sg_row *row, struct sg_error *err)
{
    if (!row->bad && row->column == columns_of(row->rows))
        return true;
    return sg_fail(err, SG_E_SCHEMA, "a row is not what was asked for, at column %d", row->column);
}

struct read {
    struct sg_arena *arena;
    enum sg_query query;
    const struct sg_params *params;
    sg_take_fn take;
    void *arg;
    int affected;
};

static bool take_rows(const struct read *read, const struct sg_rows *rows, struct sg_error *err)
{
    for (int i = 0; read->take && i < rows->count; i++) {
        struct sg_row row = sg_row_at(rows, i, read->arena);
        if (!read->take(&row, i, rows->count, read->arg, err) || !sg_row_end(&row, err))
            return false;
    }
    return true;
}

static bool read_rows(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct read *read = arg;
    SG_AUTO_ROWS rows = {0};
    if (!sg_tx_query(tx, read->query, read->params, &rows, err))
        return false;
    read->affected = rows.affected;
    return take_rows(read, &rows, err);
}

static bool read_kept(struct sg_query_cache *cache, struct sg_db *db, const struct read *read,
                      struct sg_error *err)
{
    struct sg_cache_ref ref;
    struct sg_rows rows;
    if (!sg_query_cache_get(cache, db, read->query, read->params, &rows, &ref, err))
        return false;
    bool ok = take_rows(read, &rows, err);
    sg_query_cache_release(cache, &ref);
    return ok;
}

bool sg_db_read(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                const struct sg_params *params, sg_take_fn take_fn, void *arg, struct sg_error *err)
{
    struct read read = {arena, query, params, take_fn, arg, 0};
    struct sg_query_cache *cache = sg_db_query_cache(db);
    return sg_query_cache_has(cache, query) ? read_kept(cache, db, &read, err)
                                            : sg_db_transact(db, NULL, read_rows, &read, err);
}

bool sg_db_claim(struct sg_db *db, struct sg_arena *arena, enum sg_query query, sg_time now,
                 const struct sg_claim *claim, sg_take_fn fn, void *arg, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, now);
    sg_param_int(&p, claim->lease_ms);
    sg_param_int(&p, claim->limit);
    sg_param_text(&p, claim->node);
    sg_param_int(&p, claim->others_ms);
    return sg_db_read(db, arena, query, &p, fn, arg, err);
}

struct find {
    sg_fill_fn fill;
    void *item;
    bool found;
};

static bool find_row(struct sg_row *row, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct find *find = arg;
    find->fill(row, find->item);
    find->found = true;
    return true;
}

bool sg_db_find(struct sg_db *db, struct sg_arena *arena, enum sg_query query,
                const struct sg_params *params, sg_fill_fn fill, void *item, bool *found_r,
                struct sg_error *err)
{
    struct find find = {fill, item, false};
    bool ok = sg_db_read(db, arena, query, params, find_row, &find, err);
    *found_r = ok && find.found;
    return ok;
}

bool sg_tx_find(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                const struct sg_params *params, sg_fill_fn fill, void *item, bool *found_r,
                struct sg_error *err)
{
    struct find find = {fill, item, false};
    struct read read = {arena, query, params, find_row, &find, 0};
    bool ok = read_rows(tx, &read, err);
    *found_r = ok && find.found;
    return ok;
}

bool sg_db_change(struct sg_db *db, enum sg_query query, const struct sg_params *params,
                  int *affected_r, struct sg_error *err)
{
    struct read read = {.query = query, .params = params};
    if (!sg_db_transact(db, NULL, read_rows, &read, err))
        return false;
    if (affected_r)
        *affected_r = read.affected;
    return true;
}
