/* BER of foreign data: gatewayd/smime/ber.c, ber_stream.c; and writing DER. */
#include "smime/ber.h"
#include "smime/der.h"
#include "testkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#define B(s) sg_bytes_of((s), sizeof(s) - 1)

static void test_lengths(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0,   1,      127,     128,        255,
                                       256, 0xffff, 0x10000, 0xffffffff, 0x100000000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        SG_AUTO_BUF b;
        sg_buf_init(&b, 0);
        sg_der_head(&b, 0x04, lengths[i]);
        assert_int_equal(b.len, sg_der_head_size(lengths[i]));
        uint64_t value = b.data[1];
        if (value > 0x80) {
            value = 0;
            for (size_t k = 2; k < b.len; k++)
                value = value << 8 | b.data[k];
        }
        assert_int_equal(value, lengths[i]);
    }
}

static void check_octets(struct sg_bytes raw, const char *expected)
{
    struct sg_ber in = sg_ber_of(raw);
    struct sg_tlv tlv;
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    bool ok = sg_ber_next(&in, &tlv) && sg_ber_octets(&tlv, SG_BER_OCTETS, &out);
    if (!expected) {
        assert_false(ok);
        return;
    }
    assert_true(ok);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    assert_false(sg_ber_more(&in));
}

static void test_strings(void **state)
{
    (void)state;
    check_octets(B("\x04\x02hi"), "hi");
    check_octets(B("\x04\x81\x02hi"), "hi");
    check_octets(B("\x04\x88\0\0\0\0\0\0\0\x02hi"), "hi");
    check_octets(B("\x24\x06\x04\x01h\x04\x01i"), "hi");
    check_octets(B("\x24\x80\x04\x01h\x24\x80\x04\x01i\0\0\0\0"), "hi");
    check_octets(B("\x04\x03hi"), NULL);         /* too short */
    check_octets(B("\x04\x80hi\0\0"), NULL);     /* primitive of indefinite length */
    check_octets(B("\x24\x80\x04\x02hi"), NULL); /* no end */
    check_octets(B("\x24\x80\x04\x02hi\0\x01x"), NULL);
    check_octets(B("\x24\x03\x02\x01\x05"), NULL); /* another kind within */
    check_octets(B("\x04\x89\0\0\0\0\0\0\0\0\x01x"), NULL);
    check_octets(B("\x04\x88\xff\xff\xff\xff\xff\xff\xff\xffx"), NULL);
    check_octets(B("\x1f\x81\x01\x00"), NULL);
    check_octets(B("\0\0"), NULL);
}

static void test_depth(void **state)
{
    (void)state;
    for (int depth = 1; depth < 40; depth++) {
        SG_AUTO_BUF b;
        sg_buf_init(&b, 0);
        for (int i = 0; i < depth; i++)
            sg_buf_add(&b, "\x30\x80", 2);
        for (int i = 0; i < depth; i++)
            sg_buf_add(&b, "\0\0", 2);
        struct sg_ber in = sg_ber_of(sg_buf_bytes(&b));
        struct sg_tlv tlv;
        assert_int_equal(sg_ber_next(&in, &tlv), depth <= SG_BER_DEPTH);
    }
}

static void test_to_der(void **state)
{
    (void)state;
    struct sg_ber in = sg_ber_of(B(
        "\xa0\x80\x30\x81\x05\x24\x80\x04\x01x\0\0\0\0" /* too short: 0x81 05 cuts the string */));
    struct sg_tlv tlv;
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    assert_false(sg_ber_next(&in, &tlv) && sg_ber_to_der(&tlv, SG_BER_SET, &out));
    sg_buf_clear(&out);
    in = sg_ber_of(B("\xa0\x80\x30\x81\x09\x24\x80\x04\x01x\x04\x00\0\0\x02\x01\x07\0\0"));
    assert_true(sg_ber_next(&in, &tlv) && sg_ber_to_der(&tlv, SG_BER_SET, &out));
    assert_int_equal(out.len, 10);
    assert_memory_equal(out.data, "\x31\x08\x30\x03\x04\x01x\x02\x01\x07", 10);
}

static void test_set_order(void **state)
{
    (void)state;
    struct sg_bytes e[] = {B("\x04\x02zz"), B("\x04\x01z"), B("\x02\x01\x01"), B("\x04\x01")};
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    sg_der_set_of(&out, SG_BER_SET, e, 4);
    assert_memory_equal(out.data, "\x31\x0c\x02\x01\x01\x04\x01\x04\x01z\x04\x02zz", 14);
}

/* The stream reader over the octets as a binary body. */
struct stream {
    struct sg_arena *arena;
    struct sg_spool *spool;
    struct sg_source *source;
    struct sg_ber_stream ber;
};

static bool buf_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

static void stream_begin(struct stream *s, struct sg_bytes raw, size_t budget)
{
    struct sg_header_block none = {0};
    struct sg_error err;
    s->arena = sg_arena_new();
    s->spool = kit_spool_of(raw.data, raw.len);
    s->source = malloc(sizeof *s->source);
    assert_true(sg_source_open(s->source, s->arena, &none, s->spool, 0, raw.len, &err));
    sg_ber_stream_begin(&s->ber, s->source, budget);
}

static void stream_end(struct stream *s)
{
    free(s->source);
    sg_spool_free(&s->spool);
    sg_arena_free(&s->arena);
}

static enum sg_error_code stream_take(struct sg_bytes raw, size_t budget, struct sg_buf *out)
{
    struct stream s;
    struct sg_error err = {0};
    stream_begin(&s, raw, budget);
    bool ok = sg_ber_stream_enter(&s.ber, SG_BER_SEQUENCE, &err) &&
              sg_ber_stream_take(&s.ber, SG_BER_SET, out, &err) &&
              sg_ber_stream_leave(&s.ber, &err);
    stream_end(&s);
    return ok ? SG_OK : err.code;
}

static void test_stream_take(void **state)
{
    (void)state;
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    assert_int_equal(stream_take(B("\x30\x05\x31\x03\x02\x01\x07rest"), 100, &out), SG_OK);
    assert_int_equal(out.len, 5);
    sg_buf_clear(&out);
    assert_int_equal(stream_take(B("\x30\x80\x31\x80\x30\x80\0\0\x02\x01\x07\0\0\0\0"), 100, &out),
                     SG_OK);
    assert_int_equal(out.len, 11);
    assert_memory_equal(out.data, "\x31\x80\x30\x80\0\0\x02\x01\x07\0\0", 11);
    assert_int_equal(stream_take(B("\x30\x05\x31\x03\x02\x01\x07"), 4, NULL), SG_E_LIMIT);
    assert_int_equal(stream_take(B("\x30\x05\x31\x04\x02\x01\x07\0"), 100, NULL), SG_E_CMS);
    assert_int_equal(stream_take(B("\x30\x06\x31\x03\x02\x01\x07\0"), 100, NULL), SG_E_CMS);
    assert_int_equal(stream_take(B("\x30\x80\x31\x03\x02\x01\x07"), 100, NULL), SG_E_CMS);
    assert_int_equal(stream_take(B("\x30\x80\x31\x80\x02\x01\x07\0\0"), 100, NULL), SG_E_CMS);
    assert_int_equal(stream_take(B("\x30\x05\x02\x03\x02\x01\x07"), 100, NULL), SG_E_CMS);
    assert_int_equal(stream_take(B("\x30\x80\x31\x88\xff\xff\xff\xff\xff\xff\xff\x00x"), 100, NULL),
                     SG_E_LIMIT);
}

/* As many octets as there may be of structure pass, one more does not; what is only entered costs
 * nothing, the end marker of what is taken does. */
static void test_stream_budget(void **state)
{
    (void)state;
    static const struct {
        struct sg_bytes raw;
        size_t cost;
    } cases[] = {
        {{(const uint8_t *)"\x30\x05\x31\x03\x02\x01\x07", 7}, 5},
        {{(const uint8_t *)"\x30\x80\x31\x80\x30\x80\0\0\x02\x01\x07\0\0\0\0", 15}, 11},
        {{(const uint8_t *)"\x30\x06\x31\x81\x03\x02\x01\x07", 8}, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(stream_take(cases[i].raw, cases[i].cost, NULL), SG_OK);
        assert_int_equal(stream_take(cases[i].raw, cases[i].cost - 1, NULL), SG_E_LIMIT);
    }
}

/* Elements within each other: as deep as may be, and one deeper; entered, taken, or of a string. */
static void test_stream_depth(void **state)
{
    (void)state;
    for (int depth = SG_BER_DEPTH - 1; depth <= SG_BER_DEPTH + 2; depth++) {
        SG_AUTO_BUF sequences, strings;
        sg_buf_init(&sequences, 0);
        sg_buf_init(&strings, 0);
        for (int i = 0; i < depth; i++) {
            sg_buf_add(&sequences, "\x30\x80", 2);
            sg_buf_add(&strings, "\x24\x80", 2);
        }
        sg_buf_add(&strings, "\x04\x01x", 3);
        for (int i = 0; i < depth; i++) {
            sg_buf_add(&sequences, "\0\0", 2);
            sg_buf_add(&strings, "\0\0", 2);
        }
        enum sg_error_code expected = depth <= SG_BER_DEPTH ? SG_OK : SG_E_CMS;
        for (int how = 0; how < 3; how++) {
            struct stream s;
            struct sg_error err = {0};
            SG_AUTO_BUF out;
            sg_buf_init(&out, 0);
            const struct sg_sink sink = {buf_write, &out};
            stream_begin(&s, sg_buf_bytes(how < 2 ? &sequences : &strings), 1000);
            bool ok = true;
            if (how == 0)
                for (int i = 0; ok && i < depth; i++)
                    ok = sg_ber_stream_enter(&s.ber, SG_BER_SEQUENCE, &err);
            else if (how == 1)
                ok = sg_ber_stream_take(&s.ber, SG_BER_SEQUENCE, &out, &err);
            else
                ok = sg_ber_stream_octets(&s.ber, SG_BER_OCTETS, &sink, &err);
            stream_end(&s);
            assert_int_equal(ok ? SG_OK : err.code, expected);
        }
    }
}

static void test_stream_octets(void **state)
{
    (void)state;
    static const struct {
        struct sg_bytes raw;
        const char *expected;
    } cases[] = {
        {{(const uint8_t *)"\x80\x02hi", 4}, "hi"},
        {{(const uint8_t *)"\xa0\x06\x04\x01h\x04\x01i", 8}, "hi"},
        {{(const uint8_t *)"\xa0\x80\x04\x01h\x24\x80\x04\x00\x04\x01i\0\0\0\0", 16}, "hi"},
        {{(const uint8_t *)"\xa0\x80\x04\x01h\x02\x01i\0\0", 10}, NULL},
        {{(const uint8_t *)"\xa0\x05\x04\x04hi", 6}, NULL},
        {{(const uint8_t *)"\x80\x03hi", 4}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream s;
        struct sg_error err;
        SG_AUTO_BUF out;
        sg_buf_init(&out, 0);
        const struct sg_sink sink = {buf_write, &out};
        stream_begin(&s, cases[i].raw, 100);
        bool ok = sg_ber_stream_octets(&s.ber, SG_BER_CONTEXT | 0, &sink, &err);
        assert_int_equal(ok, cases[i].expected != NULL);
        if (ok)
            assert_memory_equal(out.data, cases[i].expected, out.len);
        stream_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),       cmocka_unit_test(test_strings),
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_to_der),
        cmocka_unit_test(test_set_order),     cmocka_unit_test(test_stream_take),
        cmocka_unit_test(test_stream_budget), cmocka_unit_test(test_stream_depth),
        cmocka_unit_test(test_stream_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
