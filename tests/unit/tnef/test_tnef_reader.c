/*
 * What reads TNEF, within this process, so that sanitizers see it: it stays within the bytes that
 * it has, however they are broken, and its work is bounded by them.
 */
#include "common/clock.h"
#include "tnefreader/reader.h"
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DEPTH 8

struct count {
    uint64_t parts, bytes, damages, sum;
};

static void look(struct count *c, struct sg_bytes bytes)
{
    c->bytes += bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        c->sum += bytes.data[i];
}

static void begin(void *ctx, enum sg_tnef_kind kind, unsigned depth, unsigned codepage)
{
    (void)codepage;
    assert_in_range(kind, 0, SG_TNEF_KINDS - 1);
    assert_in_range(depth, 0, DEPTH);
    ((struct count *)ctx)->parts++;
}

static void name(void *ctx, unsigned codepage, struct sg_bytes bytes)
{
    (void)codepage;
    look(ctx, bytes);
}

static void data(void *ctx, struct sg_bytes bytes)
{
    look(ctx, bytes);
}

static void damage(void *ctx, enum sg_tnef_damage kind)
{
    assert_in_range(kind, SG_TNEF_NOT_TNEF, SG_TNEF_DAMAGES - 1);
    ((struct count *)ctx)->damages++;
}

/* From memory of exactly its size. */
static struct count read_exactly(struct sg_bytes stream)
{
    struct count c = {0};
    const struct sg_tnef_sink sink = {&c, begin, name, name, data, damage};
    uint8_t *copy = malloc(stream.len ? stream.len : 1);
    assert_non_null(copy);
    if (stream.len)
        memcpy(copy, stream.data, stream.len);
    sg_tnef_reader(sg_bytes_of(copy, stream.len), DEPTH, true, &sink);
    free(copy);
    return c;
}

static void every_beginning_of_a_stream_can_be_read(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    for (const char *const *v = vector_names(arena); *v; v++) {
        struct sg_bytes stream = vector_read(arena, *v, "tnef");
        for (size_t len = 0; len <= stream.len && len < 3000; len++)
            read_exactly(sg_bytes_slice(stream, 0, len));
    }
}

static void every_octet_may_be_another(void **state)
{
    (void)state;
    static const uint8_t others[] = {0x00, 0x01, 0x7f, 0xff};
    SG_AUTO_ARENA arena = sg_arena_new();
    for (const char *const *v = vector_names(arena); *v; v++) {
        struct sg_bytes stream = vector_read(arena, *v, "tnef");
        uint8_t *copy = (uint8_t *)sg_arena_copy(arena, stream).data;
        for (size_t i = 0; i < stream.len && i < 1500; i++) {
            for (size_t k = 0; k < sizeof others; k++) {
                copy[i] = others[k];
                read_exactly(sg_bytes_of(copy, stream.len));
            }
            copy[i] = stream.data[i];
        }
    }
}

/* Lists within lists, and numbers that promise much: a stream of a megabyte costs no more than
 * some passes over it, and gives no more than compressed RTF can hold. */
static void work_is_bounded_by_the_stream(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    for (const char *const *v = vector_names(arena); *v; v++) {
        struct sg_bytes stream = vector_read(arena, *v, "tnef");
        SG_AUTO_BUF many = {0};
        if (stream.len < 7)
            continue;
        sg_buf_add(&many, stream.data, 6);
        while (many.len < 1 << 20)
            sg_buf_add(&many, stream.data + 6, stream.len - 6);
        int64_t began = sg_clock_monotonic_ms();
        struct count c = read_exactly(sg_buf_bytes(&many));
        assert_true(sg_clock_monotonic_ms() - began < 5000);
        assert_true(c.bytes <= 9 * many.len);
        assert_true(c.parts <= many.len / 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_beginning_of_a_stream_can_be_read),
        cmocka_unit_test(every_octet_may_be_another),
        cmocka_unit_test(work_is_bounded_by_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
