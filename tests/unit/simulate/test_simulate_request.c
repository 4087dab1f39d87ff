/* What apid asks the dry run with: read the same in pieces and whole, and refused with a reason. */
#include "simulate/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct sg_spool_limits limits = {4096, 65536, "/tmp"};

#define ENVELOPE                                                                                   \
    "{\"direction\":\"outbound\",\"tenant\":\"ten_x\",\"sender\":\"joe@a.test\","                  \
    "\"recipients\":[\"ann@b.test\",\"bob@c.test\"]}"

static bool read_in(const char *text, size_t len, size_t piece, struct sg_simulate_request *r,
                    struct sg_simulation *s, struct sg_error *err)
{
    sg_simulate_request_begin(r, &limits);
    for (size_t at = 0; at < len; at += piece)
        sg_simulate_request_push(r, text + at, len - at < piece ? len - at : piece);
    return sg_simulate_request_end(r, 2, s, err);
}

static void test_pieces(void **state)
{
    static const char text[] = ENVELOPE "\nFrom: x\r\n\r\nbody\n";
    (void)state;
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        struct sg_simulate_request r;
        struct sg_simulation s;
        struct sg_error err = {0};
        char got[64] = "";
        size_t n;
        assert_true(read_in(text, sizeof text - 1, piece, &r, &s, &err));
        assert_string_equal(s.tenant, "ten_x");
        assert_string_equal(s.sender, "joe@a.test");
        assert_int_equal(s.recipient_count, 2);
        assert_string_equal(s.recipients[1], "bob@c.test");
        assert_true(sg_spool_read(s.message, 0, got, sizeof got - 1, &n, &err));
        assert_string_equal(got, "From: x\r\n\r\nbody\n");
        sg_simulate_request_free(&r);
    }
}

static void refused(const char *text, const char *words)
{
    struct sg_simulate_request r;
    struct sg_simulation s;
    struct sg_error err = {0};
    assert_false(read_in(text, strlen(text), 7, &r, &s, &err));
    assert_int_equal(err.code, SG_E_MALFORMED);
    assert_non_null(strstr(err.detail, words));
    sg_simulate_request_free(&r);
}

static void test_refused(void **state)
{
    (void)state;
    refused("", "a line of JSON");
    refused(ENVELOPE, "a line of JSON"); /* no line feed: no message */
    refused("[]\n", "a line of JSON");
    refused("{\"direction\":\"up\"}\n", "direction");
    refused("{\"direction\":\"inbound\"}\n", "tenant");
    refused("{\"direction\":\"inbound\",\"tenant\":\"t\",\"sender\":\"joe\"}\n", "sender");
    refused("{\"direction\":\"inbound\",\"tenant\":\"t\",\"sender\":\"\",\"recipients\":[]}\n",
            "recipients");
    refused("{\"direction\":\"inbound\",\"tenant\":\"t\",\"sender\":\"\","
            "\"recipients\":[\"a@b\",\"a@b\",\"a@b\"]}\n",
            "1 to 2");
    refused(
        "{\"direction\":\"inbound\",\"tenant\":\"t\",\"sender\":\"\",\"recipients\":[\"a@b\",7]}"
        "\n",
        "recipient 2");
}

static void test_limits(void **state)
{
    struct sg_simulate_request r;
    struct sg_simulation s;
    struct sg_error err = {0};
    char *large = malloc(SG_SIMULATE_ENVELOPE_MAX + 2);
    (void)state;
    memset(large, ' ', SG_SIMULATE_ENVELOPE_MAX + 2);
    assert_false(read_in(large, SG_SIMULATE_ENVELOPE_MAX + 2, 1000, &r, &s, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    sg_simulate_request_free(&r);
    free(large);

    sg_simulate_request_begin(&r, &limits);
    sg_simulate_request_push(&r, ENVELOPE "\n", sizeof ENVELOPE);
    char part[4096] = {0};
    for (int i = 0; i < 17; i++) /* 65536 and 4096 more */
        sg_simulate_request_push(&r, part, sizeof part);
    assert_false(sg_simulate_request_end(&r, 2, &s, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    sg_simulate_request_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
