/* hsm/pool.c on a module of our own: whose turn it is, what is overdue, a module that hangs. */
#include "hsm/pool_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HANG_MS 1000

/* A gate holds up who comes to it until it is opened. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open;
    int at; /* threads that have come */
};

static void gate_set(struct gate *g, bool open)
{
    pthread_mutex_lock(&g->mutex);
    g->open = open;
    g->at = 0;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

static void gate_pass(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    g->at++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

static void gate_await(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    while (g->at == 0)
        pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

/* The module ----------------------------------------------------------------------------------- */

static struct gate opening = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, true, 0};
static struct gate logging_in = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, true, 0};
static atomic_int sessions, sessions_max;
static atomic_bool logged_in;

static atomic_bool sick, sick_for_good; /* opens no session: until started anew */
static atomic_bool deaf, deaf_for_good; /* does nothing, but opens sessions and tells their state */

static CK_RV initialize(void *args)
{
    (void)args;
    atomic_store(&sick, atomic_load(&sick_for_good));
    atomic_store(&deaf, atomic_load(&deaf_for_good));
    return CKR_OK;
}

static CK_RV finalize(void *reserved)
{
    (void)reserved;
    return CKR_OK;
}

static CK_RV info(CK_INFO *info)
{
    memset(info, 0, sizeof *info);
    return CKR_OK;
}

static CK_RV slots(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
    (void)present;
    list[0] = 7;
    *count = 1;
    return CKR_OK;
}

static CK_RV slot_info(CK_SLOT_ID id, CK_SLOT_INFO *info)
{
    memset(info, 0, sizeof *info);
    return id == 7 ? CKR_OK : CKR_SLOT_ID_INVALID;
}

static CK_RV token_info(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
    memset(info, 0, sizeof *info);
    return id == 7 ? CKR_OK : CKR_SLOT_ID_INVALID;
}

static CK_RV session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    (void)session;
    memset(info, 0, sizeof *info);
    info->state = atomic_load(&logged_in) ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
    return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *session_r)
{
    (void)slot, (void)flags, (void)app, (void)notify;
    gate_pass(&opening);
    if (atomic_load(&sick))
        return CKR_GENERAL_ERROR;
    if (atomic_load(&sessions) >= atomic_load(&sessions_max))
        return CKR_SESSION_COUNT;
    *session_r = (CK_SESSION_HANDLE)atomic_fetch_add(&sessions, 1) + 1;
    return CKR_OK;
}

static atomic_ulong login_fails; /* once, with that */
static atomic_int login_count;

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG len)
{
    (void)session, (void)user, (void)pin, (void)len;
    gate_pass(&logging_in);
    atomic_fetch_add(&login_count, 1);
    CK_RV rv = atomic_exchange(&login_fails, CKR_OK);
    if (rv != CKR_OK)
        return rv;
    atomic_store(&logged_in, true);
    return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    (void)session;
    atomic_fetch_sub(&sessions, 1);
    return CKR_OK;
}

static CK_RV close_all(CK_SLOT_ID slot)
{
    (void)slot;
    atomic_store(&sessions, 0);
    return CKR_OK;
}

static atomic_ulong deaf_says; /* when asked for a key */

static CK_RV generate_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attrs,
                          CK_ULONG count, CK_OBJECT_HANDLE *key_r)
{
    (void)session, (void)mechanism, (void)attrs, (void)count;
    *key_r = 1;
    return atomic_load(&deaf) ? atomic_load(&deaf_says) : CKR_OK;
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    (void)session, (void)object;
    return CKR_OK;
}

static CK_FUNCTION_LIST list = {.C_Initialize = initialize,
                                .C_Finalize = finalize,
                                .C_GetInfo = info,
                                .C_GetSlotList = slots,
                                .C_GetSlotInfo = slot_info,
                                .C_GetTokenInfo = token_info,
                                .C_GetSessionInfo = session_info,
                                .C_OpenSession = open_session,
                                .C_CloseSession = close_session,
                                .C_CloseAllSessions = close_all,
                                .C_GenerateKey = generate_key,
                                .C_DestroyObject = destroy_object,
                                .C_Login = login};
static const struct sg_module module = {.p11 = &list};

/* ---------------------------------------------------------------------------------------------- */

static char pin_file[64];
static char order[16];
static atomic_int order_len;

static struct sg_pool *pool_of(int count, int64_t wait_ms)
{
    struct sg_pool_options options = {.module = &module,
                                      .token = {.label = "", .slot = 7, .uri = ""},
                                      .pin_file = pin_file,
                                      .sessions = count,
                                      .wait_ms = wait_ms,
                                      .retry_ms = 10,
                                      .hang_ms = HANG_MS};
    struct sg_pool *pool = sg_pool_new(&options);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    return pool;
}

static void pool_end(struct sg_pool *pool)
{
    assert_true(sg_pool_close(pool, sg_deadline_in(5000)));
    sg_pool_free(&pool);
}

/* A thread that runs one piece of work: comes to the gate, if any, and writes its letter. */
struct runner {
    struct sg_pool *pool;
    char letter;
    struct gate *gate;
    sg_deadline deadline;
    struct runner *then; /* what the same thread does next */
    pthread_t thread;
    bool ok;
    struct sg_error err;
};

static CK_RV work(const struct sg_session *session, void *arg, struct sg_error *err)
{
    struct runner *r = arg;
    (void)session, (void)err;
    if (r->gate)
        gate_pass(r->gate);
    order[atomic_fetch_add(&order_len, 1)] = r->letter;
    return CKR_OK;
}

static void *runner_run(void *arg)
{
    for (struct runner *r = arg; r; r = r->then) {
        sg_deadline deadline = r->deadline ? r->deadline : sg_deadline_in(20000);
        r->ok = sg_pool_run(r->pool, work, r, deadline, &r->err);
    }
    return NULL;
}

static void runner_start(struct runner *r)
{
    assert_int_equal(pthread_create(&r->thread, NULL, runner_run, r), 0);
}

static int waiting(struct sg_pool *pool)
{
    int n = 0;
    pthread_mutex_lock(&pool->mutex);
    for (const struct sg_loan *l = pool->waiting; l; l = l->behind)
        n++;
    pthread_mutex_unlock(&pool->mutex);
    return n;
}

static void waiting_await(struct sg_pool *pool, int count)
{
    for (sg_deadline end = sg_deadline_in(10000); waiting(pool) != count;)
        assert_true(sg_deadline_left(end) > 0);
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&order_len, 0);
    memset(order, 0, sizeof order);
    atomic_store(&sessions, 0);
    atomic_store(&sessions_max, 1000);
    atomic_store(&sick, false);
    atomic_store(&sick_for_good, false);
    atomic_store(&deaf, false);
    atomic_store(&deaf_for_good, false);
    atomic_store(&deaf_says, CKR_GENERAL_ERROR);
    atomic_store(&login_fails, CKR_OK);
    atomic_store(&login_count, 0);
    gate_set(&opening, true);
    gate_set(&logging_in, true);
    return 0;
}

/* Who gives a session back and asks for one again at once does not get past who waits. */
static void who_waited_longest_is_served_first(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner again = {.pool = pool, .letter = 'z'};
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate, .then = &again};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    runner_start(&c);
    waiting_await(pool, 2);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    pthread_join(c.thread, NULL);
    assert_string_equal(order, "abcz");
    pool_end(pool);
}

static void who_gives_up_holds_up_nobody(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    runner_start(&first);
    gate_await(&gate);
    b.deadline = sg_deadline_in(1000);
    runner_start(&b);
    waiting_await(pool, 1);
    runner_start(&c);
    pthread_join(b.thread, NULL);
    assert_false(b.ok);
    assert_int_equal(b.err.code, SG_E_BUSY);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(c.thread, NULL);
    assert_true(c.ok);
    assert_string_equal(order, "ac");
    pool_end(pool);
}

static void a_session_that_does_not_open_holds_up_nobody(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    runner_start(&first);
    gate_await(&gate);
    gate_set(&opening, false);
    runner_start(&b);
    gate_await(&opening);
    runner_start(&c);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(c.thread, NULL);
    assert_string_equal(order, "ac");
    gate_set(&opening, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_true(b.ok);
    pool_end(pool);
}

static void a_token_with_fewer_sessions(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    atomic_store(&sessions_max, 2); /* one is the keeper */
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    assert_int_equal(sg_pool_state(pool).limit, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_true(first.ok && b.ok);
    pool_end(pool);
}

/* Fails, the first time after somebody has logged us out. */
static CK_RV work_twice(const struct sg_session *session, void *arg, struct sg_error *err)
{
    int *times = arg;
    (void)session, (void)err;
    if (++*times > 1)
        return CKR_OK;
    atomic_store(&logged_in, false);
    return CKR_FUNCTION_FAILED;
}

/* Others had the token's sessions, and give them back. */
static void a_token_with_fewer_sessions_for_a_while(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    atomic_store(&sessions_max, 2);
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    assert_int_equal(sg_pool_state(pool).limit, 1);
    atomic_store(&sessions_max, 1000);
    pthread_join(b.thread, NULL); /* while the first one still has its own */
    assert_true(b.ok);
    assert_int_equal(sg_pool_state(pool).limit, 2);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pool_end(pool);
}

static void a_token_that_is_opened_anew_may_have_more_sessions(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    atomic_store(&sessions_max, 2);
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    int times = 0;
    runner_start(&first);
    gate_await(&gate);
    runner_start(&b);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_int_equal(sg_pool_state(pool).limit, 1);
    assert_true(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), NULL));
    assert_int_equal(sg_pool_state(pool).limit, 4);
    pool_end(pool);
}

/* The one session comes back while the token is asked for another. */
static void who_gets_no_further_session_takes_a_free_one(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    atomic_store(&sessions_max, 2);
    struct sg_pool *pool = pool_of(4, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    gate_set(&opening, false);
    runner_start(&b);
    gate_await(&opening);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    int64_t began = sg_clock_monotonic_ms();
    gate_set(&opening, true);
    pthread_join(b.thread, NULL);
    assert_true(b.ok);
    assert_true(sg_clock_monotonic_ms() - began < 10000); /* half of the time that it waits */
    pool_end(pool);
}

static CK_RV work_failing(const struct sg_session *session, void *arg, struct sg_error *err)
{
    int *times = arg;
    (void)session, (void)err;
    ++*times;
    return CKR_FUNCTION_FAILED;
}

static void whatever_fails_without_a_login_is_done_again(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    int times = 0;
    assert_true(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 2);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    times = 0; /* with one it has failed */
    assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 1);
    assert_int_equal(err.code, SG_E_HSM_OPERATION);
    assert_int_equal(err.lib_code, CKR_FUNCTION_FAILED);
    pool_end(pool);
}

/* With a code that says nothing, when there is no session left. */
static void a_module_that_opens_no_session_is_started_anew(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    int times = 0;
    assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    atomic_store(&sick, true);
    runner_run(&b);
    assert_true(b.ok);
    assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    atomic_store(&sick_for_good, true);
    atomic_store(&sick, true);
    runner_run(&c);
    assert_false(c.ok);
    assert_int_equal(c.err.code, SG_E_HSM_UNAVAILABLE);
    assert_int_equal(c.err.lib_code, CKR_GENERAL_ERROR);
    assert_true(sg_pool_state(pool).broken);
    pool_end(pool);
}

static CK_RV work_deaf(const struct sg_session *session, void *arg, struct sg_error *err)
{
    int *times = arg;
    (void)session, (void)err;
    ++*times;
    return atomic_load(&deaf) ? CKR_FUNCTION_FAILED : CKR_OK;
}

/* As that of a network HSM, which opens sessions and tells their state without it. */
static void a_module_that_does_nothing_is_started_anew(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(2, 20000);
    int times = 0;
    atomic_store(&deaf, true);
    assert_true(sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 2);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    atomic_store(&deaf_for_good, true);
    atomic_store(&deaf, true);
    assert_false(sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), &err));
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
    assert_int_equal(err.lib_code, CKR_GENERAL_ERROR);
    assert_true(sg_pool_state(pool).broken);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    atomic_store(&deaf_for_good, false);
    for (sg_deadline end = sg_deadline_in(10000);
         !sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), NULL);)
        assert_true(sg_deadline_left(end) > 0);
    assert_false(sg_pool_state(pool).broken);
    assert_int_equal(sg_pool_state(pool).logins, 3);
    pool_end(pool);
}

/* What it says to that may say more than what it said before. */
static void a_module_that_says_only_then_what_it_lost(void **state)
{
    (void)state;
    const CK_RV says[] = {CKR_DEVICE_REMOVED, CKR_DEVICE_MEMORY};
    for (int i = 0; i < 2; i++) {
        struct sg_pool *pool = pool_of(2, 20000);
        int times = 0;
        atomic_store(&deaf_says, says[i]);
        atomic_store(&deaf, true);
        bool ok = sg_pool_run(pool, work_deaf, &times, sg_deadline_in(20000), NULL);
        assert_int_equal(ok, says[i] == CKR_DEVICE_REMOVED); /* a full token is not begun anew */
        assert_int_equal(sg_pool_state(pool).logins, ok ? 2 : 1);
        pool_end(pool);
    }
}

/* Whoever has it asks as often as he likes, and nobody else notices. */
static void a_key_that_always_fails(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(2, 20000);
    int times = 0;
    for (int i = 0; i < 100; i++)
        assert_false(sg_pool_run(pool, work_failing, &times, sg_deadline_in(20000), &err));
    assert_int_equal(times, 100);
    assert_int_equal(err.code, SG_E_HSM_OPERATION);
    assert_int_equal(sg_pool_state(pool).logins, 1);
    pool_end(pool);
}

/* While others have one, theirs is waited for: to begin anew would end what they are at. */
static void a_module_that_opens_no_further_session(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    atomic_store(&sick, true);
    runner_start(&b);
    waiting_await(pool, 1);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_true(first.ok && b.ok);
    assert_int_equal(sg_pool_state(pool).logins, 1);
    pool_end(pool);
}

static void overdue_await(struct sg_pool *pool, bool hung)
{
    for (sg_deadline end = sg_deadline_in(10000);
         sg_pool_watch(pool) == 0 || sg_pool_state(pool).broken != hung;)
        assert_true(sg_deadline_left(end) > 0);
}

/* The circuit opens when nothing has come back for so long, and closes with what comes back. */
static void a_module_that_hangs(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct sg_pool *pool = pool_of(2, 20000);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    struct runner d = {.pool = pool, .letter = 'd'};
    int64_t began = sg_clock_monotonic_ms();
    first.deadline = sg_deadline_in(10);
    assert_int_equal(sg_pool_watch(pool), 0);
    runner_start(&first);
    gate_await(&gate);
    overdue_await(pool, false);
    assert_int_equal(sg_pool_state(pool).stuck, 1);
    runner_run(&b); /* something comes back: it is one call alone that hangs */
    assert_true(b.ok);
    overdue_await(pool, true);
    assert_true(sg_clock_monotonic_ms() - began >= HANG_MS);
    int64_t asked = sg_clock_monotonic_ms();
    runner_run(&c);
    assert_int_equal(c.err.code, SG_E_HSM_UNAVAILABLE);
    assert_true(sg_clock_monotonic_ms() - asked < 1000);
    assert_false(sg_pool_close(pool, sg_deadline_in(20000)));
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    assert_true(first.ok);
    assert_int_equal(sg_pool_watch(pool), 0);
    assert_false(sg_pool_state(pool).broken);
    runner_run(&d); /* it was closed above */
    assert_int_equal(d.err.code, SG_E_HSM_UNAVAILABLE);
    pool_end(pool);
}

static void a_login_that_hangs(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'}, c = {.pool = pool, .letter = 'c'};
    gate_set(&logging_in, false);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(50), &err));
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
    overdue_await(pool, true);
    runner_run(&b);
    assert_int_equal(b.err.code, SG_E_HSM_UNAVAILABLE);
    gate_set(&logging_in, true);
    for (sg_deadline end = sg_deadline_in(10000); sg_pool_watch(pool) > 0;)
        assert_true(sg_deadline_left(end) > 0);
    runner_run(&c);
    assert_true(c.ok);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    pool_end(pool);
}

/* Of an operation that may take its time, such as the making of a key pair. */
static void a_reload_waits_for_no_operation(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct sg_pool *pool = pool_of(2, 100);
    struct runner first = {.pool = pool, .letter = 'a', .gate = &gate};
    struct runner b = {.pool = pool, .letter = 'b'};
    runner_start(&first);
    gate_await(&gate);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    assert_int_equal(atomic_load(&login_count), 2);
    assert_int_equal(sg_pool_state(pool).logins, 2);
    assert_int_equal(atomic_load(&sessions), 2); /* the keeper and the first one's */
    assert_false(sg_pool_state(pool).broken);
    runner_run(&b);
    assert_true(b.ok);
    gate_set(&gate, true);
    pthread_join(first.thread, NULL);
    assert_true(first.ok);
    pool_end(pool);
}

/* The login that stands serves; the PIN is not tried a second time. */
static void a_reload_with_a_pin_that_is_refused(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    atomic_store(&login_fails, CKR_PIN_INCORRECT);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_true(sg_token_pin_refused(&err));
    runner_run(&b);
    assert_true(b.ok);
    assert_int_equal(atomic_load(&login_count), 2);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    pool_end(pool);
}

struct loss {
    struct sg_pool *pool;
    int *times;
    bool ok;
};

static void *loss_run(void *arg)
{
    struct loss *loss = arg;
    loss->ok = sg_pool_run(loss->pool, work_twice, loss->times, sg_deadline_in(20000), NULL);
    return NULL;
}

static enum sg_pool_phase phase_of(struct sg_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    enum sg_pool_phase phase = pool->phase;
    pthread_mutex_unlock(&pool->mutex);
    return phase;
}

/* Not by itself: each time may be the one that locks the token. */
static void a_pin_that_was_refused_is_not_tried_at_a_loss(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    atomic_store(&login_fails, CKR_PIN_INCORRECT);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    for (int i = 0; i < 3; i++) {
        int times = 0;
        assert_false(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), &err));
        assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
        assert_int_equal(err.lib_code, CKR_PIN_INCORRECT);
        assert_true(sg_pool_state(pool).broken);
        while (sg_clock_monotonic_ms() < pool->retry_at_ms)
            ;
    }
    assert_int_equal(atomic_load(&login_count), 2);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    runner_run(&b);
    assert_true(b.ok);
    assert_int_equal(atomic_load(&login_count), 3);
    pool_end(pool);
}

/* The loss comes while the token still thinks about the PIN. */
static void a_pin_that_is_refused_during_a_loss(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    int times = 0;
    gate_set(&logging_in, false);
    atomic_store(&login_fails, CKR_PIN_INCORRECT);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(0), NULL));
    gate_await(&logging_in);
    pthread_t thread;
    struct loss loss = {.pool = pool, .times = &times};
    assert_int_equal(pthread_create(&thread, NULL, loss_run, &loss), 0);
    for (sg_deadline end = sg_deadline_in(10000); phase_of(pool) != SG_POOL_OPENING;)
        assert_true(sg_deadline_left(end) > 0);
    gate_set(&logging_in, true);
    pthread_join(thread, NULL);
    assert_false(loss.ok);
    assert_false(sg_pool_run(pool, work_twice, &times, sg_deadline_in(20000), &err));
    assert_int_equal(err.lib_code, CKR_PIN_INCORRECT);
    assert_int_equal(atomic_load(&login_count), 2);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    runner_run(&b);
    assert_true(b.ok);
    pool_end(pool);
}

/* Whatever is wrong with its file: the token was not asked, and the login that stands serves. */
static void a_reload_without_a_pin(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    char aside[80], long_pin[600];
    memset(long_pin, '1', sizeof long_pin);
    snprintf(aside, sizeof aside, "%s-aside", pin_file);
    assert_int_equal(rename(pin_file, aside), 0);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_int_equal(mkdir(pin_file, 0700), 0);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_int_equal(rmdir(pin_file), 0);
    int fd = open(pin_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, long_pin, sizeof long_pin), sizeof long_pin);
    assert_int_equal(close(fd), 0);
    assert_false(sg_pool_reopen(pool, sg_deadline_in(5000), &err));
    assert_false(sg_token_pin_refused(&err));
    assert_false(sg_pool_state(pool).broken);
    assert_int_equal(rename(aside, pin_file), 0);
    runner_run(&b);
    assert_true(b.ok);
    assert_int_equal(atomic_load(&login_count), 1);
    pool_end(pool);
}

static void a_reload_that_cannot_log_in_begins_anew(void **state)
{
    (void)state;
    struct sg_pool *pool = pool_of(1, 20000);
    struct runner b = {.pool = pool, .letter = 'b'};
    atomic_store(&login_fails, CKR_DEVICE_ERROR);
    assert_true(sg_pool_reopen(pool, sg_deadline_in(5000), NULL));
    assert_int_equal(atomic_load(&login_count), 3);
    runner_run(&b);
    assert_true(b.ok);
    pool_end(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_waited_longest_is_served_first, setup),
        cmocka_unit_test_setup(who_gives_up_holds_up_nobody, setup),
        cmocka_unit_test_setup(a_session_that_does_not_open_holds_up_nobody, setup),
        cmocka_unit_test_setup(a_token_with_fewer_sessions, setup),
        cmocka_unit_test_setup(a_token_with_fewer_sessions_for_a_while, setup),
        cmocka_unit_test_setup(a_token_that_is_opened_anew_may_have_more_sessions, setup),
        cmocka_unit_test_setup(who_gets_no_further_session_takes_a_free_one, setup),
        cmocka_unit_test_setup(whatever_fails_without_a_login_is_done_again, setup),
        cmocka_unit_test_setup(a_module_that_opens_no_session_is_started_anew, setup),
        cmocka_unit_test_setup(a_module_that_does_nothing_is_started_anew, setup),
        cmocka_unit_test_setup(a_module_that_says_only_then_what_it_lost, setup),
        cmocka_unit_test_setup(a_key_that_always_fails, setup),
        cmocka_unit_test_setup(a_module_that_opens_no_further_session, setup),
        cmocka_unit_test_setup(a_module_that_hangs, setup),
        cmocka_unit_test_setup(a_login_that_hangs, setup),
        cmocka_unit_test_setup(a_reload_waits_for_no_operation, setup),
        cmocka_unit_test_setup(a_reload_with_a_pin_that_is_refused, setup),
        cmocka_unit_test_setup(a_pin_that_was_refused_is_not_tried_at_a_loss, setup),
        cmocka_unit_test_setup(a_pin_that_is_refused_during_a_loss, setup),
        cmocka_unit_test_setup(a_reload_without_a_pin, setup),
        cmocka_unit_test_setup(a_reload_that_cannot_log_in_begins_anew, setup),
    };
    snprintf(pin_file, sizeof pin_file, "/tmp/sg-test-pool-%ld", (long)getpid());
    int fd = open(pin_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "1234\n", 5) != 5 || close(fd) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(pin_file);
    return failed;
}
