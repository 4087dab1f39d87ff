/* Whom the registry takes for new without asking PostgreSQL. REQ-117 */
#include "pipeline/registry.h"

#include "schema/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* The second of the id below, and each after it. */
#define BORN     (1795998503 * SG_SECOND)
#define QUEUE_ID "4jd4cl1cXlz1bkbQ"

static sg_time real;
static int64_t monotonic_ms;
static int asked;

sg_time __wrap_sg_clock_real(void);
int64_t __wrap_sg_clock_monotonic_ms(void);

sg_time __wrap_sg_clock_real(void)
{
    return real;
}

int64_t __wrap_sg_clock_monotonic_ms(void)
{
    return monotonic_ms;
}

bool sg_message_find_by_queue(struct sg_db *db, struct sg_arena *arena, const char *queue_id,
                              const char *direction, const char *tenant_id,
                              struct sg_message_row *row_r, struct sg_recipient_row **recipients_r,
                              size_t *recipient_count_r, bool *found_r, struct sg_error *err)
{
    (void)db, (void)arena, (void)queue_id, (void)direction, (void)tenant_id, (void)err;
    (void)row_r, (void)recipients_r, (void)recipient_count_r;
    *found_r = false;
    asked++;
    return true;
}

static struct sg_courier_sent *unsaid;

static struct sg_registry *begin(sg_time now)
{
    real = now;
    monotonic_ms = 1000;
    asked = 0;
    return sg_registry_new(NULL, 2);
}

static void pass(int seconds)
{
    real += seconds * SG_SECOND;
    monotonic_ms += seconds * 1000;
}

/* true: PostgreSQL was asked. */
static bool asks(struct sg_registry *r, const char *queue_id)
{
    struct sg_registry_entry *entry;
    struct sg_error err = {0};
    int before = asked;
    assert_true(sg_registry_enter(r, "inbound", queue_id, "ten_x", 0, &entry, &err));
    sg_registry_leave(r, entry);
    return asked > before;
}

static void who_came_after_the_start_is_new(void **state)
{
    (void)state;
    struct sg_registry *r = begin(BORN - 31 * SG_SECOND);
    pass(32);
    assert_false(asks(r, QUEUE_ID));
    assert_false(asks(r, QUEUE_ID));    /* and is remembered */
    assert_true(asks(r, "3F2A1B4C5D")); /* says nothing of its age */
    assert_false(asks(r, ""));
    sg_registry_free(&r, &unsaid);
}

/* It may have been handed to the process before this one. */
static void who_came_about_the_start_is_not(void **state)
{
    (void)state;
    struct sg_registry *r = begin(BORN - 29 * SG_SECOND);
    pass(60);
    assert_true(asks(r, QUEUE_ID));
    sg_registry_free(&r, &unsaid);
    r = begin(BORN + 3600 * SG_SECOND); /* a retry */
    pass(60);
    assert_true(asks(r, QUEUE_ID));
    sg_registry_free(&r, &unsaid);
}

static void who_may_have_been_forgotten_is_not(void **state)
{
    (void)state;
    struct sg_registry *r = begin(BORN - 3600 * SG_SECOND);
    pass(3601);
    for (int i = 0; i < 3; i++) /* one more than are kept */
        assert_true(asks(r, (const char *[]){"1", "2", "3"}[i]));
    assert_true(asks(r, QUEUE_ID));
    sg_registry_free(&r, &unsaid);
}

static void from_the_future_is_not(void **state)
{
    (void)state;
    struct sg_registry *r = begin(BORN - 3600 * SG_SECOND);
    pass(3590);
    assert_true(asks(r, QUEUE_ID));
    sg_registry_free(&r, &unsaid);
}

/* The clock was set in between: what its earlier times mean is not known. */
static void after_a_jump_is_not(void **state)
{
    (void)state;
    struct sg_registry *r = begin(BORN - 3600 * SG_SECOND);
    pass(60);
    real += 3541 * SG_SECOND;
    assert_true(asks(r, QUEUE_ID));
    sg_registry_free(&r, &unsaid);
    r = begin(BORN - 3600 * SG_SECOND);
    pass(3700);
    real -= 99 * SG_SECOND; /* back to just after its birth */
    assert_true(asks(r, QUEUE_ID));
    sg_registry_free(&r, &unsaid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_came_after_the_start_is_new),
        cmocka_unit_test(who_came_about_the_start_is_not),
        cmocka_unit_test(who_may_have_been_forgotten_is_not),
        cmocka_unit_test(from_the_future_is_not),
        cmocka_unit_test(after_a_jump_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
