#include "pool_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void gate_set(struct gate *g, bool open)
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

void gate_await(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    while (g->at == 0)
        pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

/* The module ----------------------------------------------------------------------------------- */

struct token token = {.opening = GATE(true), .logging_in = GATE(true)};

static CK_RV initialize(void *args)
{
    (void)args;
    atomic_store(&token.sick, atomic_load(&token.sick_for_good));
    atomic_store(&token.deaf, atomic_load(&token.deaf_for_good));
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
    info->state = atomic_load(&token.logged_in) ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
    return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *session_r)
{
    (void)slot, (void)flags, (void)app, (void)notify;
    gate_pass(&token.opening);
    if (atomic_load(&token.sick))
        return CKR_GENERAL_ERROR;
    if (atomic_load(&token.sessions) >= atomic_load(&token.sessions_max))
        return CKR_SESSION_COUNT;
    *session_r = (CK_SESSION_HANDLE)atomic_fetch_add(&token.sessions, 1) + 1;
    return CKR_OK;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG len)
{
    (void)session, (void)user, (void)pin, (void)len;
    gate_pass(&token.logging_in);
    atomic_fetch_add(&token.login_count, 1);
    CK_RV rv = atomic_exchange(&token.login_fails, CKR_OK);
    if (rv != CKR_OK)
        return rv;
    atomic_store(&token.logged_in, true);
    return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    (void)session;
    atomic_fetch_sub(&token.sessions, 1);
    return CKR_OK;
}

static CK_RV close_all(CK_SLOT_ID slot)
{
    (void)slot;
    atomic_store(&token.sessions, 0);
    return CKR_OK;
}

static CK_RV generate_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attrs,
                          CK_ULONG count, CK_OBJECT_HANDLE *key_r)
{
    (void)session, (void)mechanism, (void)attrs, (void)count;
    *key_r = 1;
    return atomic_load(&token.deaf) ? atomic_load(&token.deaf_says) : CKR_OK;
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

char pin_file[64];
char order[16];
static atomic_int order_len;

struct sg_pool *pool_of(int count, int64_t wait_ms)
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

void pool_end(struct sg_pool *pool)
{
    assert_true(sg_pool_close(pool, sg_deadline_in(5000)));
    sg_pool_free(&pool);
}

static CK_RV work(const struct sg_session *session, void *arg, struct sg_error *err)
{
    struct runner *r = arg;
    (void)session, (void)err;
    if (r->gate)
        gate_pass(r->gate);
    order[atomic_fetch_add(&order_len, 1)] = r->letter;
    return CKR_OK;
}

void *runner_run(void *arg)
{
    for (struct runner *r = arg; r; r = r->then) {
        sg_deadline deadline = r->deadline ? r->deadline : sg_deadline_in(20000);
        r->ok = sg_pool_run(r->pool, work, r, deadline, &r->err);
    }
    return NULL;
}

void runner_start(struct runner *r)
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

void waiting_await(struct sg_pool *pool, int count)
{
    for (sg_deadline end = sg_deadline_in(10000); waiting(pool) != count;)
        assert_true(sg_deadline_left(end) > 0);
}

int pin_file_make(void **state)
{
    (void)state;
    snprintf(pin_file, sizeof pin_file, "/tmp/sg-test-pool-%ld", (long)getpid());
    int fd = open(pin_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, "1234\n", 5) == 5 && close(fd) == 0 ? 0 : -1;
}

int pin_file_remove(void **state)
{
    (void)state;
    return unlink(pin_file);
}

int pool_setup(void **state)
{
    (void)state;
    atomic_store(&order_len, 0);
    memset(order, 0, sizeof order);
    atomic_store(&token.sessions, 0);
    atomic_store(&token.sessions_max, 1000);
    atomic_store(&token.sick, false);
    atomic_store(&token.sick_for_good, false);
    atomic_store(&token.deaf, false);
    atomic_store(&token.deaf_for_good, false);
    atomic_store(&token.deaf_says, CKR_GENERAL_ERROR);
    atomic_store(&token.login_fails, CKR_OK);
    atomic_store(&token.login_count, 0);
    gate_set(&token.opening, true);
    gate_set(&token.logging_in, true);
    return 0;
}

/* Fails, the first time after somebody has logged us out. */
CK_RV work_twice(const struct sg_session *session, void *arg, struct sg_error *err)
{
    int *times = arg;
    (void)session, (void)err;
    if (++*times > 1)
        return CKR_OK;
    atomic_store(&token.logged_in, false);
    return CKR_FUNCTION_FAILED;
}

CK_RV work_failing(const struct sg_session *session, void *arg, struct sg_error *err)
{
    int *times = arg;
    (void)session, (void)err;
    ++*times;
    return CKR_FUNCTION_FAILED;
}

void overdue_await(struct sg_pool *pool, bool hung)
{
    for (sg_deadline end = sg_deadline_in(10000);
         sg_pool_watch(pool) == 0 || sg_pool_state(pool).broken != hung;)
        assert_true(sg_deadline_left(end) > 0);
}
