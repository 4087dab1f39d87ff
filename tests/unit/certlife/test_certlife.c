/* Dates of renewals and of keys, the states of an order, whether one is needed. REQ-160 REQ-161 */
#include "certlife/ensure.h"
#include "certlife/life.h"
#include "certlife/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static sg_time at(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 12};
    return timegm(&tm) * SG_SECOND;
}

static void test_months(void **state)
{
    (void)state;
    assert_int_equal(sg_life_months_after(at(2026, 1, 31), 1), at(2026, 2, 28));
    assert_int_equal(sg_life_months_after(at(2028, 1, 31), 1), at(2028, 2, 29));
    assert_int_equal(sg_life_months_after(at(2026, 11, 25), 13), at(2027, 12, 25));
    assert_int_equal(sg_life_months_after(at(2024, 2, 29), 48), at(2028, 2, 29));
    assert_int_equal(sg_life_months_after(at(2024, 2, 29), 60), at(2029, 2, 28));
    assert_int_equal(sg_life_months_after(at(2026, 12, 31) + 7, 0), at(2026, 12, 31) + 7);
}

/* Deterministic, within its bounds, and spread. */
static void test_jitter(void **state)
{
    (void)state;
    sg_time begin = at(2026, 1, 1), end = at(2027, 1, 1), lead = 30 * SG_DAY, jitter = 7 * SG_DAY;
    int days[7] = {0};
    for (int i = 0; i < 700; i++) {
        char id[40];
        snprintf(id, sizeof id, "dom_%026d", i);
        sg_time renew = sg_life_renew_at(begin, end, lead, jitter, id);
        assert_int_equal(renew, sg_life_renew_at(begin, end, lead, jitter, id));
        assert_true(renew <= end - lead && renew > end - lead - jitter);
        days[(end - lead - renew) / SG_DAY]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(days[i], 60, 140);
    assert_int_equal(sg_life_renew_at(begin, end, lead, 0, "dom_x"), end - lead);
    /* Never in the first half of a short one. */
    assert_int_equal(sg_life_renew_at(begin, begin + 10 * SG_DAY, lead, jitter, "dom_x"),
                     begin + 5 * SG_DAY);
}

static void test_key_age(void **state)
{
    (void)state;
    sg_time made = at(2026, 1, 1);
    assert_true(sg_life_key_usable(made, made));
    assert_true(sg_life_key_usable(made, at(2029, 12, 1)));
    assert_false(sg_life_key_usable(made, at(2029, 12, 2))); /* 13 months would pass five years */
    assert_false(sg_life_key_usable(made, at(2030, 1, 1)));
    assert_true(sg_life_key_covers(made, at(2031, 1, 1)));
    assert_false(sg_life_key_covers(made, at(2031, 1, 1) + 1));
}

static void test_pause(void **state)
{
    (void)state;
    assert_int_equal(sg_life_pause(1, 30, 1000), 30);
    assert_int_equal(sg_life_pause(3, 30, 1000), 120);
    assert_int_equal(sg_life_pause(500, 30, 1000), 1000);
}

/* Every state with every event: what may follow, and nothing else. */
static void test_states(void **state)
{
    (void)state;
    static const char *const table[] = {
        "key key-there csr",       "csr csr-there enrol",      "csr fit installed",
        "enrol accepted pending",  "enrol issued received",    "enrol fit installed",
        "enrol unfit failed",      "pending accepted pending", "pending ask enrol",
        "pending issued received", "pending fit installed",    "pending unfit failed",
        "received fit installed",  "received unfit failed",
    };
    int moves = 0;
    for (int s = 0; s < SG_ORDER_STATES; s++) {
        for (int e = 0; e < SG_ORDER_EVENTS; e++) {
            enum sg_order_state next = SG_ORDER_STATES;
            struct sg_error err = {0};
            if (!sg_order_next((enum sg_order_state)s, (enum sg_order_event)e, &next, &err)) {
                assert_int_equal(err.code, SG_E_CONFLICT);
                continue;
            }
            bool end = e == SG_ORDER_CANCEL || e == SG_ORDER_GIVEN_UP, found = end;
            char text[80];
            snprintf(text, sizeof text, "%s %s %s", sg_order_state_name((enum sg_order_state)s),
                     sg_order_event_name((enum sg_order_event)e), sg_order_state_name(next));
            for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
                found |= strcmp(table[i], text) == 0;
            if (!found)
                fail_msg("%s is not in the table", text);
            assert_true(sg_order_open((enum sg_order_state)s));
            assert_true(!end || !sg_order_open(next));
            moves += !end;
        }
    }
    assert_int_equal(moves, sizeof table / sizeof table[0]);
    enum sg_order_state parsed;
    struct sg_error err = {0};
    assert_true(sg_order_state_parse("pending", &parsed, &err) && parsed == SG_ORDER_PENDING);
    assert_false(sg_order_state_parse("lost", &parsed, &err));
}

static void test_decide(void **state)
{
    (void)state;
    sg_time now = at(2026, 6, 1);
    struct sg_life_row life = {.domain_state = "verified", .tenant_state = "active"};
    struct sg_order_decision d = sg_order_decide(&life, SG_WISH_NEEDED, "rsa-2048", now);
    assert_string_equal(d.reason, "initial");
    assert_true(d.new_key);
    assert_null(sg_order_decide(&life, SG_WISH_NEEDED, NULL, now).reason);
    life.key_id = "key_x"; /* an order failed, its key is there */
    life.key_made = now;
    life.key_algorithm = "rsa-2048";
    life.again_at = now + 1;
    assert_null(sg_order_decide(&life, SG_WISH_NEEDED, "rsa-2048", now).reason);
    assert_string_equal(sg_order_decide(&life, SG_WISH_REQUEST, "rsa-2048", now).reason, "request");
    assert_false(sg_order_decide(&life, SG_WISH_REQUEST, "rsa-2048", now).new_key);
    assert_true(sg_order_decide(&life, SG_WISH_REQUEST, "ec-p256", now).new_key);
    life.key_algorithm = "rsa-3072";
    assert_false(sg_order_decide(&life, SG_WISH_REQUEST, "rsa-2048", now).new_key);
    assert_false(sg_order_decide(&life, SG_WISH_REQUEST, "rsa-3072", now).new_key);
    assert_true(sg_order_decide(&life, SG_WISH_REQUEST, "rsa-4096", now).new_key);
    assert_true(sg_order_decide(&life, SG_WISH_REQUEST, "ec-p384", now).new_key);
    life.key_algorithm = "ec-p256";
    assert_true(sg_order_decide(&life, SG_WISH_REQUEST, "rsa-2048", now).new_key);
    assert_true(sg_order_decide(&life, SG_WISH_REQUEST, "ec-p384", now).new_key);
    assert_false(sg_order_decide(&life, SG_WISH_REQUEST, "ec-p256", now).new_key);
    life.key_algorithm = "rsa-2048";
    life.again_at = now;
    assert_false(sg_order_decide(&life, SG_WISH_NEEDED, "rsa-2048", now).new_key);
    life.certificate_id = "crt_x";
    life.renew_at = now + 1;
    assert_null(sg_order_decide(&life, SG_WISH_NEEDED, "rsa-2048", now).reason);
    d = sg_order_decide(&life, SG_WISH_COMPROMISE, "rsa-2048", now);
    assert_string_equal(d.reason, "compromise");
    assert_true(d.new_key);
    life.renew_at = now;
    assert_string_equal(sg_order_decide(&life, SG_WISH_NEEDED, "rsa-2048", now).reason, "renewal");
    assert_string_equal(sg_order_decide(&life, SG_WISH_NEEDED, "ec-p256", now).reason, "rekey");
    life.key_made = at(2022, 6, 1); /* four years */
    d = sg_order_decide(&life, SG_WISH_NEEDED, "rsa-2048", now);
    assert_string_equal(d.reason, "rekey");
    assert_true(d.new_key);
    life.tenant_state = "suspended";
    assert_null(sg_order_decide(&life, SG_WISH_NEEDED, "rsa-2048", now).reason);
    life.tenant_state = "active";
    life.domain_state = "pending";
    assert_null(sg_order_decide(&life, SG_WISH_REQUEST, "rsa-2048", now).reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_months),  cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_key_age), cmocka_unit_test(test_pause),
        cmocka_unit_test(test_states),  cmocka_unit_test(test_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
