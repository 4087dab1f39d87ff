/* Whom the registry takes for new without asking PostgreSQL. REQ-117 */
#include "pipeline/registry.h"

#include "schema/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* The second of the id below, and each after it. */
#define BORN     (1795998503 * SG_SECOND)
#define QUEUE_ID "4jd4cl1cXlz1bkbQ"

static sg_time real;
static int64_t monotonic_ms; /* 0: it runs, for who waits by it */
static int asked;

sg_time __wrap_sg_clock_real(void);
int64_t __wrap_sg_clock_monotonic_ms(void);
int64_t __real_sg_clock_monotonic_ms(void);

sg_time __wrap_sg_clock_real(void)
{
    return real;
}

int64_t __wrap_sg_clock_monotonic_ms(void)
{
    return monotonic_ms ? monotonic_ms : __real_sg_clock_monotonic_ms();
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
static const struct sg_registry_options usual = {
    .messages = 2, .recipients = 8, .waiting = 100, .waiting_each = 8, .waiting_ms = 60000};

static struct sg_registry *begin_with(const struct sg_registry_options *options, sg_time now)
{
    real = now;
    monotonic_ms = 1000;
    asked = 0;
    return sg_registry_new(NULL, options);
}

static struct sg_registry *begin(sg_time now)
{
    return begin_with(&usual, now);
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
    assert_true(sg_registry_enter(r, "inbound", queue_id, "ten_x", &entry, &err));
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

/* What was written of it may be there, though nobody said so. */
static void who_is_in_doubt_is_not(void **state)
{
    (void)state;
    struct sg_registry *r = begin(BORN - 31 * SG_SECOND);
    struct sg_registry_entry *entry;
    struct sg_error err = {0};
    pass(32);
    assert_true(sg_registry_enter(r, "inbound", QUEUE_ID, "ten_x", &entry, &err));
    assert_int_equal(asked, 0);
    assert_false(entry->maybe_held);
    struct sg_id id = entry->msg_id;
    sg_registry_doubt(entry);
    sg_registry_leave(r, entry);
    assert_true(asks(r, QUEUE_ID));
    assert_false(asks(r, QUEUE_ID)); /* once */
    assert_true(sg_registry_enter(r, "inbound", QUEUE_ID, "ten_x", &entry, &err));
    assert_true(entry->maybe_held);
    assert_string_equal(entry->msg_id.text, id.text);
    sg_registry_leave(r, entry);
    sg_registry_free(&r, &unsaid);
}

/* A thousand recipients weigh more than one: what is remembered has a bound in them too. */
static void many_recipients_push_others_out(void **state)
{
    (void)state;
    struct sg_registry_entry *entry;
    struct sg_error err = {0};
    const char *refusal;
    for (size_t each = 2; each < 10; each++) {
        struct sg_registry_options options = usual;
        options.recipients = each;
        struct sg_registry *r = begin_with(&options, BORN);
        for (size_t more = 0; more < 2; more++) {
            assert_true(sg_registry_enter(r, "inbound", "1", "ten_x", &entry, &err));
            for (size_t i = 0; i < options.messages * each + more; i++)
                sg_registry_settle(entry, (char[]){(char)('a' + i), 0}, NULL);
            sg_registry_leave(r, entry);
            asks(r, "2");
            assert_true(sg_registry_enter(r, "inbound", "1", "ten_x", &entry, &err));
            assert_int_equal(sg_registry_settled(entry, "a", &refusal), more == 0);
            sg_registry_leave(r, entry);
        }
        sg_registry_free(&r, &unsaid);
    }
}

static int64_t unfed = -1;

static int64_t unfed_of(void *ctx)
{
    (void)ctx;
    return unfed;
}

static enum sg_error_code entered(struct sg_registry *r, const char *queue_id)
{
    struct sg_registry_entry *entry;
    struct sg_error err = {0};
    if (!sg_registry_enter(r, "inbound", queue_id, "ten_x", &entry, &err))
        return err.code;
    sg_registry_leave(r, entry);
    return SG_OK;
}

/* What was pushed out while PostgreSQL takes no records may have been sent: that PostgreSQL knows
 * nothing of it says so only when it has what is older. */
static void who_is_in_the_journal_alone_waits(void **state)
{
    (void)state;
    struct sg_registry *r = begin(BORN);
    sg_registry_behind(r, unfed_of, NULL);
    unfed = 0;
    assert_int_equal(entered(r, "1"), SG_OK);
    pass(1);
    assert_int_equal(entered(r, "2"), SG_OK);
    pass(1);
    unfed = 2000; /* since the first */
    sg_registry_announce(r, "inbound", "3", "ten_x");
    assert_int_equal(entered(r, "3"), SG_OK); /* nobody can have handed it in before */
    pass(1);
    unfed = 3000;
    int before = asked;
    assert_int_equal(entered(r, "1"), SG_E_BUSY);
    assert_int_equal(entered(r, "1"), SG_E_BUSY); /* it is not taken for known meanwhile */
    assert_int_equal(asked, before);
    assert_int_equal(entered(r, "3"), SG_OK); /* which is remembered */
    pass(10);
    unfed = 10500; /* those that were pushed out are fed, what came then is not */
    assert_int_equal(entered(r, "1"), SG_OK);
    assert_int_equal(asked, before + 1);
    unfed = -1;
    assert_int_equal(entered(r, "4"), SG_OK);
    assert_int_equal(entered(r, "5"), SG_OK);
    sg_registry_free(&r, &unsaid);
}

struct waiter {
    pthread_t thread;
    struct sg_registry *registry;
    const char *queue_id;
    atomic_int *refused, *entered;
};

static void *wait_for_entry(void *arg)
{
    struct waiter *w = arg;
    struct sg_registry_entry *entry;
    struct sg_error err = {0};
    if (!sg_registry_enter(w->registry, "inbound", w->queue_id, "ten_x", &entry, &err)) {
        assert_int_equal(err.code, SG_E_BUSY);
        ++*w->refused;
        return NULL;
    }
    ++*w->entered;
    sg_registry_leave(w->registry, entry);
    return NULL;
}

/* Of so many that come while another has it, how many are refused at once; the others get it. */
static int refused_of(int count, int waiting, int waiting_each)
{
    static struct waiter waiters[16];
    atomic_int refused = 0, entered = 0;
    struct sg_registry_entry *entry;
    struct sg_error err = {0};
    struct sg_registry_options options = usual;
    options.waiting = waiting;
    options.waiting_each = waiting_each;
    monotonic_ms = 0;
    struct sg_registry *r = sg_registry_new(NULL, &options);
    assert_true(sg_registry_enter(r, "inbound", "1", "ten_x", &entry, &err));
    int expected = count - (waiting < waiting_each ? waiting : waiting_each);
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){0, r, "1", &refused, &entered};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_entry, &waiters[i]), 0);
    }
    while (refused < expected)
        sched_yield();
    assert_int_equal(entered, 0);
    sg_registry_leave(r, entry);
    for (int i = 0; i < count; i++)
        pthread_join(waiters[i].thread, NULL);
    assert_int_equal(refused + entered, count);
    int found = refused;
    sg_registry_free(&r, &unsaid);
    return found;
}

/* A domain that hangs holds up the others of its message: each that waits has a connection. */
static void no_more_wait_than_may(void **state)
{
    (void)state;
    assert_int_equal(refused_of(8, 100, 8), 0);
    assert_int_equal(refused_of(10, 100, 8), 2);
    assert_int_equal(refused_of(10, 100, 9), 1);
    assert_int_equal(refused_of(4, 3, 8), 1);
}

/* A part of a message waits for another for so long, and no longer. */
static void who_waits_too_long_is_refused(void **state)
{
    (void)state;
    struct sg_registry_options options = usual;
    struct sg_registry_entry *entry, *other;
    struct sg_error err = {0};
    options.waiting_ms = 150;
    monotonic_ms = 0;
    struct sg_registry *r = sg_registry_new(NULL, &options);
    assert_true(sg_registry_enter(r, "inbound", "1", "ten_x", &entry, &err));
    int64_t began = sg_clock_monotonic_ms();
    assert_false(sg_registry_enter(r, "inbound", "1", "ten_x", &other, &err));
    assert_int_equal(err.code, SG_E_BUSY);
    assert_true(sg_clock_monotonic_ms() - began >= 150);
    assert_true(sg_clock_monotonic_ms() - began < 10000); /* a busy machine's */
    sg_registry_leave(r, entry);
    assert_true(sg_registry_enter(r, "inbound", "1", "ten_x", &other, &err));
    sg_registry_leave(r, other);
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
        cmocka_unit_test(who_is_in_doubt_is_not),
        cmocka_unit_test(many_recipients_push_others_out),
        cmocka_unit_test(no_more_wait_than_may),
        cmocka_unit_test(who_waits_too_long_is_refused),
        cmocka_unit_test(who_is_in_the_journal_alone_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
