/*
 * What gatewayd had in hand when it died of it: children that really crash leave a file, which this
 * process reads as the next gatewayd does.
 */
#include "crash/crash_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTE (60 * SG_SECOND)
#define DAY_MS (INT64_C(86400) * 1000)

#ifdef SG_SANITIZED /* all signals but SIGABRT have the sanitizer's handlers */
static const bool abort_alone = true;
#else
static const bool abort_alone = false;
#endif

static sg_time now = 1700000000 * SG_SECOND;
static char dir[64], path[80];

sg_time __wrap_sg_clock_now(void);
sg_time __wrap_sg_clock_now(void)
{
    return now;
}

static void opened(void)
{
    struct sg_error err = {0};
    const struct sg_crash_options options = {
        .path = path, .wait_ms = 600000, .most_ms = DAY_MS, .keep_ms = 6 * DAY_MS};
    if (!sg_crash_open(&options, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        abort();
    }
}

static bool begun(enum sg_crash_kind kind, const char *id)
{
    struct sg_error err = {0};
    sg_time until;
    bool ok = sg_crash_begin(kind, id, &until, &err);
    assert_int_equal(ok, until == 0);
    assert_int_equal(ok, err.code == SG_OK);
    return ok;
}

/* May it be taken in hand? And if, it does not end. */
static bool may(enum sg_crash_kind kind, const char *id)
{
    bool ok = begun(kind, id);
    if (ok)
        sg_crash_end(false);
    return ok;
}

/* Ways to die ------------------------------------------------------------------------------------
 */

static void null_write(void)
{
    *(volatile int *)(volatile uintptr_t){0} = 1;
}

static void division(void)
{
    raise(SIGFPE);
}

static void illegal(void)
{
    __builtin_trap();
}

static void bus(void)
{
    char name[100];
    snprintf(name, sizeof name, "%s/short", dir);
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    volatile char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    (void)map[0];
}

/* Not one that the compiler makes a loop of. */
static int deeper(volatile char *before)
{
    volatile char here[4096];
    here[0] = before ? before[0] : 1;
    return here[0] == 1 ? deeper(here) + here[0] : 0;
}

static void overflow(void)
{
    (void)deeper(NULL);
}

static void nothing(void)
{
}

/* A child with the usual actions, not cmocka's. The signal that it died of, 0 where it did not. */
static int child(void (*run)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static const int all[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        for (size_t i = abort_alone ? 4 : 0; i < sizeof all / sizeof *all; i++)
            signal(all[i], SIG_DFL);
        run(arg);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

struct death {
    enum sg_crash_kind kind;
    const char *id;
    void (*die)(void);
};

static void die(void *arg)
{
    const struct death *d = arg;
    opened();
    if (d->kind && !begun(d->kind, d->id))
        _exit(1);
    d->die();
}

static void dies_of(enum sg_crash_kind kind, const char *id)
{
    struct death d = {kind, id, abort};
    assert_int_equal(child(die, &d), SIGABRT);
}

/* Each time beyond the wait, and within what is kept. */
static void dies_times(enum sg_crash_kind kind, const char *id, int times)
{
    for (int i = 0; i < times; i++) {
        now += 2 * SG_DAY;
        dies_of(kind, id);
        opened(); /* gatewayd is there again at once */
        sg_crash_close();
    }
}

static int64_t figure(size_t which)
{
    sg_crash_collect();
    return sg_metric_get(sg_crash_metrics[which], 0, 0);
}

/* ---------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sg-crash-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/crashes", dir);
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    (void)state;
    sg_crash_close();
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static void each_way_to_die_is_noted(void **state)
{
    static const struct {
        void (*die)(void);
        int signal;
    } ways[] = {{abort, SIGABRT},   {null_write, SIGSEGV}, {bus, SIGBUS},
                {division, SIGFPE}, {illegal, SIGILL},     {overflow, SIGSEGV}};
    (void)state;
    for (size_t i = 0; i < (abort_alone ? 1 : sizeof ways / sizeof *ways); i++) {
        struct death d = {SG_CRASH_OUTBOUND, "4dVHb86zdqz1q", ways[i].die};
        unlink(path);
        assert_int_equal(child(die, &d), ways[i].signal);
        opened();
        assert_int_equal(figure(0), 1);
        assert_true(may(SG_CRASH_OUTBOUND, "4dVHb86zdqz1q")); /* once more at once */
        sg_crash_close();
        assert_int_equal(child(die, &d), ways[i].signal);
        opened();
        assert_int_equal(figure(0), 2);
        assert_false(may(SG_CRASH_OUTBOUND, "4dVHb86zdqz1q"));
        assert_true(may(SG_CRASH_INBOUND, "4dVHb86zdqz1q"));
        assert_true(may(SG_CRASH_OUTBOUND, "4dVHb86zdqz1r"));
        sg_crash_close();
    }
}

/* A thread's stack, which has its own guard: not the main thread's. */
static void *overflow_run(void *arg)
{
    (void)arg;
    if (begun(SG_CRASH_INBOUND, "deep"))
        overflow();
    return NULL;
}

static void overflow_in_thread(void *arg)
{
    pthread_t thread;
    opened();
    pthread_create(&thread, NULL, overflow_run, arg);
    pthread_join(thread, NULL);
}

static void stack_of_a_thread(void **state)
{
    (void)state;
    if (abort_alone)
        skip();
    assert_int_equal(child(overflow_in_thread, NULL), SIGSEGV);
    assert_int_equal(child(overflow_in_thread, NULL), SIGSEGV);
    opened();
    assert_false(may(SG_CRASH_INBOUND, "deep"));
}

/* Both have something in hand at the same moment, and one of them crashes. */
struct two {
    pthread_barrier_t both;
};

static void *innocent(void *arg)
{
    struct two *t = arg;
    (void)begun(SG_CRASH_INBOUND, "innocent");
    pthread_barrier_wait(&t->both);
    for (;;)
        poll(NULL, 0, 1000);
    return NULL;
}

static void *guilty(void *arg)
{
    struct two *t = arg;
    (void)begun(SG_CRASH_INBOUND, "guilty");
    pthread_barrier_wait(&t->both);
    abort();
    return NULL;
}

static void two_threads(void *arg)
{
    pthread_t threads[2];
    struct two t;
    (void)arg;
    opened();
    pthread_barrier_init(&t.both, NULL, 2);
    pthread_create(&threads[0], NULL, innocent, &t);
    pthread_create(&threads[1], NULL, guilty, &t);
    pthread_join(threads[1], NULL);
}

static void the_guilty_one_alone(void **state)
{
    (void)state;
    assert_int_equal(child(two_threads, NULL), SIGABRT);
    assert_int_equal(child(two_threads, NULL), SIGABRT);
    opened();
    assert_true(may(SG_CRASH_INBOUND, "innocent"));
    assert_false(may(SG_CRASH_INBOUND, "guilty"));
}

/* The child says on a pipe that it has it in hand. */
static void wait_to_be_killed(void *arg)
{
    const int *fd = arg;
    opened();
    if (begun(SG_CRASH_HELD, "hld_x"))
        (void)!write(*fd, "", 1);
    for (;;)
        poll(NULL, 0, 1000);
}

static void kills_note_nothing(void **state)
{
    static const int sent[] = {SIGKILL, SIGTERM, SIGABRT, SIGSEGV};
    (void)state;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
            int fds[2], status;
            char c;
            if (abort_alone && sent[i] == SIGSEGV)
                continue;
            assert_int_equal(pipe(fds), 0);
            pid_t pid = fork();
            if (pid == 0) {
                signal(SIGABRT, SIG_DFL);
                signal(SIGSEGV, SIG_DFL);
                wait_to_be_killed(&fds[1]);
            }
            assert_int_equal(read(fds[0], &c, 1), 1);
            assert_int_equal(kill(pid, sent[i]), 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == sent[i]);
            close(fds[0]);
            close(fds[1]);
        }
    opened();
    assert_int_equal(figure(0), 0);
    assert_true(may(SG_CRASH_HELD, "hld_x"));
}

static void nothing_in_hand(void **state)
{
    struct death before = {SG_CRASH_NOTHING, "", abort}, unnamed = {SG_CRASH_INBOUND, "", abort};
    struct death none = {SG_CRASH_INBOUND, "x", nothing};
    (void)state;
    assert_int_equal(child(die, &before), SIGABRT);
    assert_int_equal(child(die, &unnamed), SIGABRT);
    assert_int_equal(child(die, &none), 0);
    opened();
    assert_int_equal(figure(0), 2); /* it did crash */
    assert_true(may(SG_CRASH_INBOUND, ""));
    assert_true(may(SG_CRASH_INBOUND, "x"));
}

static void put_back(void *arg)
{
    (void)arg;
    opened();
    if (may(SG_CRASH_OUTBOUND, "before"))
        abort();
}

static void what_was_put_back_is_not_in_hand(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(child(put_back, NULL), SIGABRT);
    opened();
    assert_int_equal(figure(0), 2);
    assert_true(may(SG_CRASH_OUTBOUND, "before"));
}

/* A domain that is looked at because of a message: it is to blame, and the message afterwards. */
static void within(void *arg)
{
    const bool *ended = arg;
    opened();
    if (!begun(SG_CRASH_OUTBOUND, "message") || !begun(SG_CRASH_DISCOVERY, "partner.test"))
        _exit(1);
    if (*ended)
        sg_crash_end(true);
    abort();
}

static void the_inner_one_is_to_blame(void **state)
{
    static const bool yes = true, no = false;
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(child(within, (void *)(uintptr_t)&no), SIGABRT);
    opened();
    assert_true(may(SG_CRASH_OUTBOUND, "message"));
    assert_false(may(SG_CRASH_DISCOVERY, "partner.test"));
    sg_crash_close();
    now += SG_DAY;
    for (int i = 0; i < 2; i++)
        assert_int_equal(child(within, (void *)(uintptr_t)&yes), SIGABRT);
    opened();
    assert_false(may(SG_CRASH_OUTBOUND, "message"));
    assert_true(may(SG_CRASH_DISCOVERY, "partner.test"));
}

static void waits_double_up_to_the_most(void **state)
{
    static const int64_t minutes[] = {10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440};
    char words[100], text[SG_TIME_TEXT];
    (void)state;
    dies_of(SG_CRASH_NOTICE, "ntc_1");
    for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
        struct sg_error err = {0};
        sg_time until;
        dies_of(SG_CRASH_NOTICE, "ntc_1");
        opened();
        assert_false(sg_crash_begin(SG_CRASH_NOTICE, "ntc_1", &until, &err));
        assert_int_equal(until, now + minutes[i] * MINUTE);
        assert_int_equal(err.code, SG_E_CRASHED);
        sg_time_rfc3339(until, text);
        snprintf(words, sizeof words, "the gateway has crashed on it %zu times, it waits until %s",
                 i + 2, text);
        assert_string_equal(err.detail, words);
        assert_int_equal(figure(1), 1);
        assert_false(sg_crash_check(&err));
        assert_string_equal(err.detail, "gatewayd crashed on notice ntc_1");
        now = until - 1;
        assert_false(may(SG_CRASH_NOTICE, "ntc_1"));
        now = until;
        assert_true(may(SG_CRASH_NOTICE, "ntc_1"));
        sg_crash_close();
    }
}

static void success_clears(void **state)
{
    (void)state;
    dies_times(SG_CRASH_OUTBOUND, "a", 3);
    opened();
    assert_false(may(SG_CRASH_OUTBOUND, "a"));
    now += SG_DAY;
    assert_true(begun(SG_CRASH_OUTBOUND, "a"));
    sg_crash_end(true);
    sg_crash_close();
    dies_of(SG_CRASH_OUTBOUND, "a");
    opened(); /* as if for the first time */
    assert_true(may(SG_CRASH_OUTBOUND, "a"));
    assert_int_equal(figure(1), 0);
}

static void one_that_is_elsewhere_is_not_told_of(void **state)
{
    struct sg_error err = {0};
    (void)state;
    dies_times(SG_CRASH_OUTBOUND, "deleted", 2);
    opened();
    now += 10 * MINUTE + 2 * 60 * MINUTE - 1;
    assert_int_equal(figure(1), 1);
    now += 1;
    assert_int_equal(figure(1), 0);
    assert_true(sg_crash_check(&err));
    sg_crash_close();
    now += 7 * SG_DAY;
    opened(); /* and is forgotten in the end */
    now -= 7 * SG_DAY;
    assert_true(may(SG_CRASH_OUTBOUND, "deleted"));
}

/* No good look-up clears it, so nobody waits for one to be told. */
static void a_domain_is_told_of_while_it_is_put_off(void **state)
{
    struct sg_error err = {0};
    (void)state;
    dies_times(SG_CRASH_DISCOVERY, "partner.test:dom_1", 2);
    opened();
    now += 10 * MINUTE - 1;
    assert_false(may(SG_CRASH_DISCOVERY, "partner.test:dom_1"));
    assert_int_equal(figure(1), 1);
    assert_false(sg_crash_check(&err));
    now += 1;
    assert_true(may(SG_CRASH_DISCOVERY, "partner.test:dom_1"));
    assert_int_equal(figure(1), 0);
    assert_true(sg_crash_check(&err));
    sg_crash_close();
    dies_of(SG_CRASH_DISCOVERY, "partner.test:dom_1"); /* its crashes are not forgotten */
    opened();
    now += 20 * MINUTE - 1;
    assert_int_equal(figure(1), 1);
}

static void a_clock_that_was_set_back(void **state)
{
    (void)state;
    dies_times(SG_CRASH_OUTBOUND, "a", 2);
    now -= 300 * SG_DAY;
    opened();
    assert_false(may(SG_CRASH_OUTBOUND, "a"));
    now += 10 * MINUTE;
    assert_true(may(SG_CRASH_OUTBOUND, "a"));
    now += 300 * SG_DAY;
}

static void a_clock_that_is_set_back_later(void **state)
{
    (void)state;
    dies_times(SG_CRASH_OUTBOUND, "a", 2);
    opened();
    now -= 300 * SG_DAY;
    assert_false(may(SG_CRASH_OUTBOUND, "a"));
    now += 10 * MINUTE;
    assert_true(may(SG_CRASH_OUTBOUND, "a"));
    now += 300 * SG_DAY;
}

static void the_oldest_go_first(void **state)
{
    char id[20];
    (void)state;
    for (int i = 0; i < CRASH_SUSPECTS + 2; i++) {
        snprintf(id, sizeof id, "q%d", i);
        dies_of(SG_CRASH_INBOUND, id);
        now += SG_SECOND;
    }
    for (int i = 0; i < CRASH_SUSPECTS + 2;
         i += CRASH_SUSPECTS - 1) { /* 0, 255: one forgotten, one not */
        snprintf(id, sizeof id, "q%d", i);
        dies_of(SG_CRASH_INBOUND, id);
    }
    opened();
    assert_true(may(SG_CRASH_INBOUND, "q0"));
    assert_false(may(SG_CRASH_INBOUND, "q255"));
}

struct many {
    pthread_barrier_t all;
    int number;
};

static void *one_of_many(void *arg)
{
    struct many *m = arg;
    char id[20];
    snprintf(id, sizeof id, "t%d", __atomic_fetch_add(&m->number, 1, __ATOMIC_SEQ_CST));
    (void)begun(SG_CRASH_INBOUND, id);
    pthread_barrier_wait(&m->all);
    abort();
    return NULL;
}

#define MANY (CRASH_FOUND * 2)
static void many_threads(void *arg)
{
    pthread_t threads[MANY];
    struct many m = {.number = 0};
    (void)arg;
    opened();
    pthread_barrier_init(&m.all, NULL, MANY);
    for (int i = 0; i < MANY; i++)
        pthread_create(&threads[i], NULL, one_of_many, &m);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], NULL);
}

/* More at once than there is room for: none beyond it is written, and it is one crash. */
static void all_at_once(void **state)
{
    (void)state;
    assert_int_equal(child(many_threads, NULL), SIGABRT);
    opened();
    assert_int_equal(figure(0), 1);
}

static void a_long_id_is_cut(void **state)
{
    char id[300], other[300];
    (void)state;
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = 0;
    memcpy(other, id, sizeof id);
    other[10] = 'y';
    dies_times(SG_CRASH_OUTBOUND, id, 2);
    opened();
    assert_false(may(SG_CRASH_OUTBOUND, id));
    assert_true(may(SG_CRASH_OUTBOUND, other));
    memcpy(other, id, sizeof id);
    other[sizeof other - 2] = 'y'; /* anybody's domain that begins as another's does */
    assert_true(may(SG_CRASH_OUTBOUND, other));
}

/* Files that nobody wrote so: nothing is believed, and it is noted as ever. */
static void damaged_files(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct crash_table t = {.magic = "SGCRASH1", .crashes = 7};
        size_t size = sizeof t;
        memset(t.suspects, kind == 0 ? 0xff : 'x', sizeof t.suspects); /* no kind, no end */
        t.found[3] = (struct crash_found){.signal = 12345, .name = {.kind = 99, .id = "x"}};
        t.found[4] = (struct crash_found){.signal = -1, .name = {.kind = 1, .id = "a\nb"}};
        t.suspects[0] = (struct crash_suspect){
            .name = {.kind = SG_CRASH_INBOUND, .id = "x"}, .crashes = UINT32_MAX, .at = INT64_MAX};
        atomic_store(&t.found_count, UINT32_MAX);
        if (kind == 1)
            size = 100;
        if (kind == 2)
            t.magic[0] = 'x';
        if (kind == 3)
            size = 0;
        unlink(path);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(write(fd, &t, size), size);
        close(fd);
        opened();
        assert_int_equal(figure(0), size == sizeof t && kind != 2 ? 8 : 0);
        assert_true(may(SG_CRASH_INBOUND, "x"));
        sg_crash_close();
        dies_times(SG_CRASH_INBOUND, "x", 2);
        opened();
        assert_false(may(SG_CRASH_INBOUND, "x"));
        sg_crash_close();
    }
}

static void no_file_no_note(void **state)
{
    struct sg_error err = {0};
    const struct sg_crash_options options = {
        .path = "/nowhere/crashes", .wait_ms = 1, .most_ms = 1, .keep_ms = 1};
    struct stat st;
    (void)state;
    assert_false(sg_crash_open(&options, &err));
    assert_int_equal(err.code, SG_E_IO);
    assert_true(may(SG_CRASH_INBOUND, "x"));
    sg_crash_end(true);
    assert_true(sg_crash_check(&err));
    opened();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, sizeof(struct crash_table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_way_to_die_is_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(stack_of_a_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(the_guilty_one_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(kills_note_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_in_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_put_back_is_not_in_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(the_inner_one_is_to_blame, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_double_up_to_the_most, setup, teardown),
        cmocka_unit_test_setup_teardown(success_clears, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_elsewhere_is_not_told_of, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_is_told_of_while_it_is_put_off, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_was_set_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_later, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_go_first, setup, teardown),
        cmocka_unit_test_setup_teardown(all_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_id_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_files, setup, teardown),
        cmocka_unit_test_setup_teardown(no_file_no_note, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
