/* Finding the header block and its fields: gatewayd/mime/header.c. REQ-65 */
#include "mime/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct sg_header_limits limits = {.max_bytes = 65536, .max_fields = 100};

static struct sg_spool *spool_of(const void *data, size_t len)
{
    struct sg_spool_limits sl = {.memory_bytes = 1 << 20, .max_bytes = 1 << 21, .dir = "/tmp"};
    struct sg_spool *spool = sg_spool_new(&sl);
    struct sg_error err;
    assert_true(sg_spool_write(spool, data, len, &err));
    return spool;
}

static bool read_text(struct sg_arena *arena, const char *text, struct sg_header_block *block,
                      struct sg_error *err)
{
    SG_AUTO_SPOOL spool = spool_of(text, strlen(text));
    return sg_header_read(arena, spool, 0, UINT64_MAX, &limits, block, err);
}

static void check_field(const struct sg_header *field, const char *name, const char *value,
                        const char *whole)
{
    assert_non_null(field);
    assert_true(sg_bytes_equal(field->name, sg_bytes_str(name)));
    assert_true(sg_bytes_equal(field->value, sg_bytes_str(value)));
    assert_true(sg_bytes_equal(field->whole, sg_bytes_str(whole)));
}

static void test_fields_as_written(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block b;
    struct sg_error err;
    const char *text = "Subject:  a\r\n\t folded \r\nline\r\n \r\n" /* "line" is no field */;
    assert_true(read_text(arena, text, &b, &err));
    assert_int_equal(b.count, 1);
    check_field(&b.fields[0], "Subject", "  a\r\n\t folded ", "Subject:  a\r\n\t folded \r\n");
    assert_string_equal(sg_header_unfold(arena, &b.fields[0]), "a\t folded");
    assert_int_equal(b.body_offset, strlen("Subject:  a\r\n\t folded \r\n"));

    assert_true(read_text(arena, "A: 1\nB : 2\n \n\nbody", &b, &err));
    assert_int_equal(b.count, 2);
    check_field(&b.fields[1], "B", " 2\n ", "B : 2\n \n");
    assert_int_equal(b.body_offset, 14);
    assert_int_equal(b.raw.len, 13);
}

static void test_ends(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block b;
    struct sg_error err;
    assert_true(read_text(arena, "", &b, &err));
    assert_int_equal(b.count, 0);
    assert_true(read_text(arena, "\r\nbody", &b, &err));
    assert_int_equal(b.count, 0);
    assert_int_equal(b.body_offset, 2);
    assert_true(read_text(arena, "A: no line end", &b, &err));
    check_field(&b.fields[0], "A", " no line end", "A: no line end");
    assert_int_equal(b.body_offset, 14);
    assert_true(read_text(arena, "A: 1\r", &b, &err));
    check_field(&b.fields[0], "A", " 1\r", "A: 1\r");
}

static void test_refused(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block b;
    struct sg_error err;
    static const char *const bad[] = {"hello world\r\n\r\n", " A: 1\r\n\r\n", ":\r\n",
                                      "From someone Mon 12:00:00\r\n", "N\xc3\xa4me: x\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(read_text(arena, bad[i], &b, &err));
        assert_int_equal(err.code, SG_E_MIME);
    }
}

static void test_limits(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block b;
    struct sg_error err;
    char *big = malloc(200001);
    memset(big, 'x', 200000);
    memcpy(big, "A:", 2);
    big[200000] = 0;
    assert_false(read_text(arena, big, &b, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    for (size_t i = 0; i < 200000; i += 4)
        memcpy(big + i, "A:\r\n", 4);
    assert_false(read_text(arena, big, &b, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    /* Just within, over many read pieces. */
    memset(big, 'x', 65534);
    memcpy(big, "A:", 2);
    memcpy(big + 65534, "\r\n\r\n", 5);
    assert_true(read_text(arena, big, &b, &err));
    assert_int_equal(b.raw.len, 65536);
    free(big);
}

static void test_find(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block b;
    struct sg_error err;
    assert_true(read_text(arena, "From: a\r\nTo: x\r\nFROM: b\r\n\r\n", &b, &err));
    assert_int_equal(sg_header_count(&b, "from"), 2);
    assert_string_equal(sg_header_unfold(arena, sg_header_find(&b, "From", 1)), "b");
    assert_null(sg_header_find(&b, "From", 2));
    assert_null(sg_header_find(&b, "Fro", 0));
}

static void test_range_and_nul(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block b;
    struct sg_error err;
    static const char text[] = "xxxA: a\0b\r\n\r\nyyy";
    SG_AUTO_SPOOL spool = spool_of(text, sizeof text - 1);
    assert_true(sg_header_read(arena, spool, 3, 11, &limits, &b, &err));
    assert_int_equal(b.body_offset, 11);
    assert_string_equal(sg_header_unfold(arena, &b.fields[0]), "a?b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_as_written),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_range_and_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
