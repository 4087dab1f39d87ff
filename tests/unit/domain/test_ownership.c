/* REQ-135: what follows from a look at a challenge, the states of a domain, and TXT data. */
#include "domain/decide.h"
#include "schema/domain_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE (60 * SG_SECOND)
#define T0     (20000 * SG_DAY)

static const struct sg_ownership_times times = {.deadline_ms = 30 * 86400000LL,
                                                .first_ms = 60000,
                                                .longest_ms = 6 * 3600000,
                                                .recheck_ms = 86400000,
                                                .grace_ms = 7 * 86400000LL};

static struct sg_ownership_plan decide(const char *state, enum sg_dns_verdict verdict, sg_time now,
                                       sg_time missing_since, int attempts, int notices)
{
    struct sg_ownership_facts facts = {.state = state,
                                       .verdict = verdict,
                                       .now = now,
                                       .asked_at = T0,
                                       .missing_since = missing_since,
                                       .attempts = attempts,
                                       .notices = notices};
    return sg_ownership_decide(&facts, &times);
}

static void test_claim(void **unused)
{
    (void)unused;
    static const enum sg_dns_verdict not_found[] = {SG_DNS_MISSING, SG_DNS_BOGUS,
                                                    SG_DNS_UNAVAILABLE};
    struct sg_ownership_plan p;
    for (size_t i = 0; i < 3; i++) {
        p = decide("pending", not_found[i], T0, 0, 0, 0);
        assert_false(p.change);
        assert_int_equal(p.next_check_at, T0 + MINUTE);
        assert_int_equal(p.deadline_at, T0 + 30 * SG_DAY);
        assert_int_equal(p.attempts, 1);
        p = decide("pending", not_found[i], T0, 0, 3, 0);
        assert_int_equal(p.next_check_at, T0 + 8 * MINUTE);
        p = decide("pending", not_found[i], T0, 0, 1000, 0);
        assert_int_equal(p.next_check_at, T0 + 360 * MINUTE);
        /* The last look is at the deadline, and not a microsecond before it is it over. */
        p = decide("pending", not_found[i], T0 + 30 * SG_DAY - 1, 0, 1000, 0);
        assert_false(p.change);
        assert_int_equal(p.next_check_at, T0 + 30 * SG_DAY);
        p = decide("pending", not_found[i], T0 + 30 * SG_DAY, 0, 1000, 0);
        assert_true(p.change && p.event == SG_DOMAIN_EXPIRED && p.next_check_at == 0);
    }
    p = decide("pending", SG_DNS_FOUND, T0 + 31 * SG_DAY, 0, 5, 0);
    assert_true(p.change && p.event == SG_DOMAIN_PROVED && p.attempts == 0);
    assert_int_equal(p.next_check_at, T0 + 32 * SG_DAY);
}

static void test_grace(void **unused)
{
    (void)unused;
    sg_time since = T0 + 100 * SG_DAY, over = since + 7 * SG_DAY;
    struct sg_ownership_plan p = decide("verified", SG_DNS_MISSING, since, 0, 0, 0);
    assert_true(!p.change && p.missing_since == since && p.suspend_at == over);
    assert_int_equal(p.notice, SG_NOTICE_MISSING);
    /* A first look that misses it suspends nothing, however late it comes. */
    p = decide("verified", SG_DNS_MISSING, over + 300 * SG_DAY, 0, 0, 0);
    assert_true(!p.change && p.missing_since == over + 300 * SG_DAY);
    p = decide("verified", SG_DNS_MISSING, since + SG_DAY, since, 1, 1);
    assert_int_equal(p.notice, SG_NOTICE_NONE);
    p = decide("verified", SG_DNS_MISSING, since + 7 * SG_DAY / 2, since, 9, 1);
    assert_int_equal(p.notice, SG_NOTICE_REMINDER);
    p = decide("verified", SG_DNS_MISSING, over - 1, since, 9, 2);
    assert_true(!p.change && p.next_check_at == over);
    p = decide("verified", SG_DNS_MISSING, over, since, 9, 2);
    assert_true(p.change && p.event == SG_DOMAIN_LOST && p.notice == SG_NOTICE_SUSPENDED);
    /* Silence and forgery take nothing, and give nothing. */
    for (enum sg_dns_verdict v = SG_DNS_BOGUS; v <= SG_DNS_UNAVAILABLE; v++) {
        p = decide("verified", v, over + SG_DAY, since, 9, 2);
        assert_true(!p.change && p.missing_since == since && p.next_check_at > over + SG_DAY);
        p = decide("verified", v, over + SG_DAY, 0, 0, 0);
        assert_true(!p.change && p.missing_since == 0 && p.notice == SG_NOTICE_NONE);
        p = decide("suspended", v, over + SG_DAY, since, 9, 2);
        assert_true(!p.change);
    }
    p = decide("verified", SG_DNS_FOUND, over, since, 9, 2);
    assert_true(!p.change && p.missing_since == 0 && p.notices == 0 && p.attempts == 0);
    p = decide("suspended", SG_DNS_MISSING, over + SG_DAY, since, 9, 2);
    assert_true(!p.change && p.next_check_at > 0 && p.notice == SG_NOTICE_NONE);
    p = decide("suspended", SG_DNS_FOUND, over + SG_DAY, since, 9, 2);
    assert_true(p.change && p.event == SG_DOMAIN_PROVED && p.notice == SG_NOTICE_RESTORED);
}

static void test_states(void **unused)
{
    (void)unused;
    static const char *const states[] = {"pending",   "attested", "verified", "failed",
                                         "suspended", "revoked",  ""};
    /* By event: what each of the states becomes. */
    static const char *const becomes[][7] = {
        {"pending", "attested", NULL, "pending", "suspended", NULL, NULL},
        {"verified", "verified", NULL, NULL, "verified", NULL, NULL},
        {"failed", "attested", NULL, NULL, NULL, NULL, NULL},
        {NULL, NULL, "suspended", NULL, NULL, NULL, NULL},
        {"revoked", "revoked", "revoked", "revoked", "revoked", NULL, NULL},
    };
    for (int event = SG_DOMAIN_ASKED; event <= SG_DOMAIN_REVOKED; event++) {
        for (size_t i = 0; i < 7; i++) {
            const char *to = sg_domain_next_state(states[i], (enum sg_domain_event)event);
            assert_true(to ? becomes[event][i] && strcmp(to, becomes[event][i]) == 0
                           : !becomes[event][i]);
        }
    }
}

static bool is(const char *data, size_t len, const char *value)
{
    return sg_txt_is((const uint8_t *)data, len, value);
}

static void test_txt(void **unused)
{
    (void)unused;
    assert_true(is("\003abc", 4, "abc"));
    assert_true(is("\001a\000\002bc", 6, "abc"));
    assert_false(is("\003abc", 3, "abc")); /* cut off */
    assert_false(is("\003abd", 4, "abc"));
    assert_false(is("\002ab", 3, "abc"));
    assert_false(is("\003abc\001d", 6, "abc"));
    assert_false(is("\377abc", 4, "abc"));
    assert_false(is("", 0, ""));
    assert_true(is("\000", 1, ""));
    assert_false(is("\004ab\000c", 5, "ab"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_txt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
