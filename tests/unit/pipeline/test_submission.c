/* The submission proof: what holds, and every way in which it must not. REQ-136 */
#include "pipeline/submission.h"

#include "common/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#define NOW ((sg_time)1790000000 * SG_SECOND)

static struct sg_submission_keys keys_of(uint8_t first)
{
    struct sg_submission_keys keys = {.count = 1, .max_age = 6 * SG_DAY};
    keys.keys[0].len = 32;
    memset(keys.keys[0].data, first, 32);
    return keys;
}

struct fixture {
    struct sg_arena *arena;
    struct sg_submission_keys keys;
    struct sg_id tenant, submitter;
    char value[256];
};

static int setup(void **state)
{
    static struct fixture f;
    f.arena = sg_arena_new();
    f.keys = keys_of(1);
    f.tenant = sg_id_new("ten");
    f.submitter = sg_id_new("sub");
    struct sg_submission s = {f.tenant.text, f.submitter.text, "joe@a.test", "4XyZ12QWEzz", NOW};
    struct sg_error err = {0};
    assert_true(sg_submission_make(&f.keys, &s, f.value, sizeof f.value, &err));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sg_arena_free(&f->arena);
    return 0;
}

static bool check(struct fixture *f, const struct sg_submission_keys *keys, const char *value,
                  const char *sender, const char *queue_id, sg_time now)
{
    struct sg_submission got = {0};
    struct sg_error err = {0};
    bool ok = sg_submission_check(keys, f->arena, value, sender, queue_id, now, &got, &err);
    if (ok) {
        assert_string_equal(got.tenant, f->tenant.text);
        assert_string_equal(got.submitter, f->submitter.text);
    } else {
        assert_int_equal(err.code, SG_E_SUBMISSION);
    }
    return ok;
}

static void holds(void **state)
{
    struct fixture *f = *state;
    assert_true(check(f, &f->keys, f->value, "joe@a.test", "4XyZ12QWEzz", NOW));
    assert_true(check(f, &f->keys, f->value, "joe@a.test", "4XyZ12QWEzz", NOW + 6 * SG_DAY));
}

static void bound_to_sender_queue_and_time(void **state)
{
    struct fixture *f = *state;
    assert_false(check(f, &f->keys, f->value, "eve@a.test", "4XyZ12QWEzz", NOW));
    assert_false(check(f, &f->keys, f->value, "", "4XyZ12QWEzz", NOW));
    assert_false(check(f, &f->keys, f->value, "joe@a.test", "4XyZ12QWEzy", NOW));
    assert_false(check(f, &f->keys, f->value, "joe@a.test", "", NOW));
    assert_false(
        check(f, &f->keys, f->value, "joe@a.test", "4XyZ12QWEzz", NOW + 6 * SG_DAY + SG_SECOND));
}

/* A clock that was set back bounces nobody's mail: what is authentic waits until it is right. */
static void waits_for_a_clock_that_is_behind(void **state)
{
    struct fixture *f = *state;
    struct sg_submission got = {0};
    struct sg_error err = {0};
    sg_time behind = NOW - 301 * SG_SECOND;
    assert_true(check(f, &f->keys, f->value, "joe@a.test", "4XyZ12QWEzz", NOW - 300 * SG_SECOND));
    assert_false(sg_submission_check(&f->keys, f->arena, f->value, "joe@a.test", "4XyZ12QWEzz",
                                     behind, &got, &err));
    assert_int_equal(err.code, SG_E_CLOCK);
    assert_int_equal(sg_error_smtp(err.code), 451);
    assert_null(got.tenant);
    assert_false(check(f, &f->keys, f->value, "eve@a.test", "4XyZ12QWEzz", behind));
}

/* No octet of the header can be another. */
static void every_octet_counts(void **state)
{
    struct fixture *f = *state;
    char copy[sizeof f->value + 2];
    for (size_t i = 0; f->value[i]; i++) {
        memcpy(copy, f->value, sizeof f->value);
        copy[i] = copy[i] == '0' ? '1' : '0';
        assert_false(check(f, &f->keys, copy, "joe@a.test", "4XyZ12QWEzz", NOW));
    }
    snprintf(copy, sizeof copy, "%sx", f->value);
    assert_false(check(f, &f->keys, copy, "joe@a.test", "4XyZ12QWEzz", NOW));
    assert_false(check(f, &f->keys, "", "joe@a.test", "4XyZ12QWEzz", NOW));
}

static void previous_key_is_accepted(void **state)
{
    struct fixture *f = *state;
    struct sg_submission_keys rotated = keys_of(2);
    assert_false(check(f, &rotated, f->value, "joe@a.test", "4XyZ12QWEzz", NOW));
    rotated.keys[1] = f->keys.keys[0];
    rotated.count = 2;
    assert_true(check(f, &rotated, f->value, "joe@a.test", "4XyZ12QWEzz", NOW));
}

/* What Postfix tells the edge and what it says to us by LMTP is one sender. */
static void sender_has_one_form(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[][2] = {
        {"joe@a.test", "Joe@A.test"},         {"joe smith@a.test", "\"Joe Smith\"@a.test"},
        {"a\"b@a.test", "\"a\\\"b\"@a.test"}, {"\"x\"@a.test", "\"\\\"x\\\"\"@a.test"},
        {"a\\b@a.test", "\"a\\\\b\"@a.test"}, {"a@b@a.test", "\"a@b\"@a.test"},
        {"@a.test", "\"\"@a.test"},           {"", ""}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_string_equal(sg_submission_sender(f->arena, pairs[i][0], false), pairs[i][0]);
        assert_string_equal(sg_submission_sender(f->arena, pairs[i][1], true), pairs[i][0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(holds, setup, teardown),
        cmocka_unit_test_setup_teardown(bound_to_sender_queue_and_time, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_a_clock_that_is_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(every_octet_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(sender_has_one_form, setup, teardown),
        cmocka_unit_test_setup_teardown(previous_key_is_accepted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
