/* Entity tags, and secrets of answers that are kept. */
#include "support.h"

#include "api/etag.h"
#include "api/idempotency.h"

#include <string.h>

static void test_etag_listed(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool strong, weak;
    } cases[] = {
        {"\"abc\"", true, true},
        {"*", true, true},
        {"W/\"abc\"", false, true},
        {"\"x\", \"abc\"", true, true},
        {"\"x\",\"abc\",\"y\"", true, true},
        {"\"x\", W/\"abc\"", false, true},
        {"abc", false, false},
        {"\"abc", false, false},
        {"\"abcd\"", false, false},
        {"\"ab\"", false, false},
        {"\"x, \"abc\"\"", false, false},
        {"\"a,*\"", false, false},
        {"", false, false},
        {",,, ", false, false},
        {"w/\"abc\"", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (api_etag_listed(cases[i].header, "\"abc\"", false) != cases[i].strong ||
            api_etag_listed(cases[i].header, "\"abc\"", true) != cases[i].weak)
            fail_msg("%s", cases[i].header);
}

static void test_secret(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_bytes sealed, again;
    const char *text;
    assert_true(
        api_idempotency_seal(arena, "Bearer sgt_1", "order-1", "{\"token\":\"x\"}", &sealed));
    assert_true(
        api_idempotency_seal(arena, "Bearer sgt_1", "order-1", "{\"token\":\"x\"}", &again));
    assert_false(sg_bytes_equal(sealed, again));
    assert_true(api_idempotency_open(arena, "Bearer sgt_1", "order-1", sealed, &text));
    assert_string_equal(text, "{\"token\":\"x\"}");
    assert_false(api_idempotency_open(arena, "Bearer sgt_2", "order-1", sealed, &text));
    assert_false(api_idempotency_open(arena, "Bearer sgt_1", "order-2", sealed, &text));
    assert_false(api_idempotency_open(arena, NULL, "order-1", sealed, &text));
    for (size_t n = 0; n < sealed.len; n++)
        assert_false(api_idempotency_open(arena, "Bearer sgt_1", "order-1",
                                          sg_bytes_of(sealed.data, n), &text));
    uint8_t changed[100];
    memcpy(changed, sealed.data, sealed.len);
    for (size_t n = 0; n < sealed.len; n++) {
        changed[n] ^= 1;
        assert_false(api_idempotency_open(arena, "Bearer sgt_1", "order-1",
                                          sg_bytes_of(changed, sealed.len), &text));
        changed[n] ^= 1;
    }
    assert_false(api_idempotency_seal(arena, NULL, "order-1", "x", &sealed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_etag_listed),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
