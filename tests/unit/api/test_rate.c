#include "support.h"

#include "api/rate.h"

#include <stdio.h>
#include <string.h>

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"*=1/1", true},
        {"*=0.5/10 billing=20/100  anonymous=1000000/1000000", true},
        {"", false},
        {"billing=20/100", false},
        {"*=0/1", false},
        {"*=-1/1", false},
        {"*=nan/1", false},
        {"*=1/0", false},
        {"*=1/1.5", false},
        {"*=1", false},
        {"*=1/", false},
        {"*=1/1x", false},
        {"=1/1", false},
        {"*", false},
        {"*=1000001/1", false},
        {"*=1/1000001", false},
        {"a-name-that-is-far-too-long-for-a-class=1/1 *=1/1", false},
        {"*=1/1 a=1/1 b=1/1 c=1/1 d=1/1 e=1/1 f=1/1 g=1/1 h=1/1 i=1/1 j=1/1 k=1/1 l=1/1 m=1/1 "
         "n=1/1 o=1/1",
         true},
        {"*=1/1 a=1/1 b=1/1 c=1/1 d=1/1 e=1/1 f=1/1 g=1/1 h=1/1 i=1/1 j=1/1 k=1/1 l=1/1 m=1/1 "
         "n=1/1 o=1/1 p=1/1",
         false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct api_rate *rate = NULL;
        struct sg_error err = {0};
        bool ok = api_rate_new(cases[i].text, &rate, &err);
        if (ok != cases[i].good || (!ok && err.code != SG_E_CONFIG))
            fail_msg("%s: %s", cases[i].text, err.detail);
        api_rate_free(&rate);
    }
}

static void test_bucket(void **state)
{
    (void)state;
    struct api_rate *rate = NULL;
    struct api_rate_state left = {0};
    struct sg_error err = {0};
    assert_true(api_rate_new("*=10/3 slow=0.5/1", &rate, &err));
    for (int i = 2; i >= 0; i--) {
        assert_true(api_rate_take(rate, "billing", "cli_1", 1000, &left));
        assert_int_equal(left.left, i);
    }
    assert_int_equal(left.quota, 3);
    assert_int_equal(left.window_s, 1);
    assert_false(api_rate_take(rate, "billing", "cli_1", 1000, &left));
    assert_int_equal(left.left, 0);
    assert_int_equal(left.reset_s, 1);
    /* Another's bucket is full; one comes back in 100 ms. */
    assert_true(api_rate_take(rate, "billing", "cli_2", 1000, &left));
    assert_false(api_rate_take(rate, "billing", "cli_1", 1098, &left));
    assert_true(api_rate_take(rate, "billing", "cli_1", 1101, &left));
    assert_false(api_rate_take(rate, "billing", "cli_1", 1101, &left));
    /* Never more than the burst. */
    assert_true(api_rate_take(rate, "billing", "cli_1", 1000000, &left));
    assert_int_equal(left.left, 2);
    assert_true(api_rate_take(rate, "slow", "cli_3", 0, &left));
    assert_int_equal(left.reset_s, 2);
    assert_false(api_rate_take(rate, "slow", "cli_3", 1500, &left));
    assert_true(api_rate_take(rate, "slow", "cli_3", 2001, &left));
    assert_true(api_rate_take(NULL, "slow", "cli_3", 2001, &left));
    api_rate_free(&rate);
}

/* More callers than buckets: it forgets the stillest, and holds on to who asks all the time. */
static void test_many(void **state)
{
    (void)state;
    struct api_rate *rate = NULL;
    struct api_rate_state left = {0};
    struct sg_error err = {0};
    int refused = 0;
    assert_true(api_rate_new("*=0.001/10", &rate, &err));
    for (int i = 0; i < 100000; i++) {
        char key[80];
        snprintf(key, sizeof key, "2001:db8::%x %s", (unsigned)i,
                 i % 2 ? "" : "a long key is cut, and not beyond the end of its place");
        assert_true(api_rate_take(rate, "anonymous", key, i, &left));
        refused += !api_rate_take(rate, "anonymous", "busy", i, &left);
    }
    assert_true(refused >= 99000);
    api_rate_free(&rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
