/* schema/kept_rows.c: what is kept of a result is what was in it. */
#include "schema/kept_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static PGresult *result_of(int columns)
{
    static char names[3][2] = {"a", "b", "c"};
    PGresAttDesc attributes[3] = {0};
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    for (int i = 0; i < columns; i++) {
        attributes[i].name = names[i];
        attributes[i].typid = (Oid)(20 + i);
        attributes[i].format = 1;
    }
    assert_non_null(r);
    assert_true(PQsetResultAttrs(r, columns, attributes));
    return r;
}

static void cells_types_and_nulls(void **state)
{
    (void)state;
    char large[5000], zeros[] = {'x', 0, 'y'}, empty[] = "";
    size_t bytes;
    memset(large, 'l', sizeof large);
    PGresult *r = result_of(3);
    assert_true(PQsetvalue(r, 0, 0, zeros, sizeof zeros) && PQsetvalue(r, 0, 1, NULL, -1) &&
                PQsetvalue(r, 0, 2, empty, 0));
    assert_true(PQsetvalue(r, 1, 0, empty, 0) && PQsetvalue(r, 1, 1, large, sizeof large) &&
                PQsetvalue(r, 1, 2, NULL, -1));
    struct sg_kept_rows *kept = sg_kept_rows_new(r, &bytes);
    PQclear(r);
    assert_int_equal(sg_kept_rows_count(kept), 2);
    assert_int_equal(sg_kept_rows_columns(kept), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sg_kept_rows_type(kept, i), 20 + i);
    assert_true(sg_bytes_equal(sg_kept_rows_cell(kept, 0, 0), sg_bytes_of(zeros, sizeof zeros)));
    assert_null(sg_kept_rows_cell(kept, 0, 1).data);
    assert_non_null(sg_kept_rows_cell(kept, 0, 2).data); /* empty is not NULL */
    assert_int_equal(sg_kept_rows_cell(kept, 0, 2).len, 0);
    assert_int_equal(sg_kept_rows_cell(kept, 1, 0).len, 0);
    assert_true(sg_bytes_equal(sg_kept_rows_cell(kept, 1, 1), sg_bytes_of(large, sizeof large)));
    assert_null(sg_kept_rows_cell(kept, 1, 2).data);
    assert_in_range(bytes, sizeof large, sizeof large + 200);
    free(kept);
}

static void no_rows_and_no_columns(void **state)
{
    (void)state;
    size_t bytes;
    for (int columns = 0; columns <= 3; columns += 3) {
        PGresult *r = result_of(columns);
        struct sg_kept_rows *kept = sg_kept_rows_new(r, &bytes);
        PQclear(r);
        assert_int_equal(sg_kept_rows_count(kept), 0);
        assert_int_equal(sg_kept_rows_columns(kept), columns);
        assert_true(bytes < 100);
        free(kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells_types_and_nulls),
                                       cmocka_unit_test(no_rows_and_no_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
