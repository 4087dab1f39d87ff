#include "hsm/pool.h"

#include "common/log.h"
#include "common/wait.h"

#include <stdlib.h>

#define LOSSES_MAX 2 /* that one piece of work survives */

enum state {
    BROKEN, /* the circuit is open, as it is before the first login */
    READY,
    RESETTING /* waits for the sessions on loan, then logs in anew */
};

struct sg_pool {
    struct sg_pool_options options;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum state state;
    unsigned generation;
    int max, open, busy, free_count; /* open: on loan, being opened, or free */
    CK_SESSION_HANDLE *free;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE keeper;
    pthread_mutex_t keeper_mutex;
    int64_t retry_at; /* of sg_clock_monotonic_ms(), when BROKEN */
    bool pin_refused;
    struct sg_error why; /* when BROKEN */
};

struct sg_pool *sg_pool_new(const struct sg_pool_options *options)
{
    struct sg_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        abort();
    pool->options = *options;
    pool->max = options->sessions;
    pool->free = calloc((size_t)pool->max, sizeof *pool->free);
    if (!pool->free)
        abort();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_mutex_init(&pool->keeper_mutex, NULL);
    sg_cond_init(&pool->changed);
    return pool;
}

void sg_pool_free(struct sg_pool **pool_p)
{
    struct sg_pool *pool = *pool_p;
    if (!pool)
        return;
    if (pool->generation)
        pool->options.module->p11->C_CloseAllSessions(pool->slot);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->keeper_mutex);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->free);
    free(pool);
    *pool_p = NULL;
}

/* false: the deadline has passed. With the mutex held. */
static bool wait_change(struct sg_pool *pool, sg_deadline deadline)
{
    return sg_cond_wait(&pool->changed, &pool->mutex, deadline);
}

/* The circuit, and the reset that closes it ---------------------------------------------------- */

static bool log_in(const struct sg_pool_options *o, CK_SLOT_ID *slot, CK_SESSION_HANDLE *keeper_r,
                   struct sg_error *err)
{
    return sg_token_find(o->module, &o->token, slot, err) &&
           sg_token_login(o->module, *slot, o->pin_file, false, keeper_r, err);
}

/* Without the mutex, and nobody else is in the module. slot is the old one, then the new. */
static bool connect_token(const struct sg_pool_options *o, bool was_open, CK_SLOT_ID *slot,
                          CK_SESSION_HANDLE *keeper_r, struct sg_error *err)
{
    CK_FUNCTION_LIST *p11 = o->module->p11;
    if (was_open)
        p11->C_CloseAllSessions(*slot);
    if (log_in(o, slot, keeper_r, err))
        return true;
    if (err->code == SG_E_CONFIG)
        return false;
    /* Many modules see a token that came back only after they were started anew. */
    p11->C_Finalize(NULL);
    CK_RV rv = sg_module_start(o->module);
    if (rv != CKR_OK)
        return sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "C_Initialize");
    return log_in(o, slot, keeper_r, err);
}

/* With the mutex held. */
static void break_circuit(struct sg_pool *pool, const struct sg_error *why)
{
    pool->state = BROKEN;
    pool->why = *why;
    pool->pin_refused = why->code == SG_E_CONFIG && why->lib == SG_LIB_PKCS11;
    pool->retry_at = sg_clock_monotonic_ms() + pool->options.retry_ms;
    sg_log_error(SG_LOG_ERROR, "hsm.lost", why, NULL);
}

/*
 * With the mutex held, in READY or BROKEN. Drains first: to close sessions under a running
 * operation crashes SoftHSM.
 */
static bool reset(struct sg_pool *pool, struct sg_error *err)
{
    struct sg_error why = {0};
    bool ok = true;
    sg_deadline deadline = sg_deadline_in(pool->options.wait_ms);
    pool->state = RESETTING;
    while (ok && pool->busy > 0)
        ok = wait_change(pool, deadline);
    if (ok) {
        CK_SLOT_ID slot = pool->slot;
        CK_SESSION_HANDLE keeper = CK_INVALID_HANDLE;
        bool was_open = pool->generation > 0;
        pthread_mutex_unlock(&pool->mutex);
        ok = connect_token(&pool->options, was_open, &slot, &keeper, &why);
        pthread_mutex_lock(&pool->mutex);
        pool->slot = slot;
        pool->keeper = keeper;
    } else {
        sg_fail(&why, SG_E_HSM_UNAVAILABLE, "the HSM does not answer");
    }
    if (ok) {
        pool->state = READY;
        pool->open = pool->free_count = 0;
        pool->generation++;
        sg_log(SG_LOG_INFO, "hsm.ready", "generation", sg_log_num(pool->generation), NULL);
    } else {
        break_circuit(pool, &why);
        if (err)
            *err = why;
    }
    pthread_cond_broadcast(&pool->changed);
    return ok;
}

bool sg_pool_reopen(struct sg_pool *pool, struct sg_error *err)
{
    pthread_mutex_lock(&pool->mutex);
    pool->pin_refused = false;
    sg_deadline deadline = sg_deadline_in(pool->options.wait_ms);
    bool ok = true;
    while (ok && pool->state == RESETTING)
        ok = wait_change(pool, deadline);
    if (ok)
        ok = reset(pool, err);
    else
        sg_fail(err, SG_E_BUSY, "the HSM is being opened");
    pthread_mutex_unlock(&pool->mutex);
    return ok;
}

/* Begins anew unless another thread has done it since that generation. */
static bool reset_since(struct sg_pool *pool, unsigned generation, struct sg_error *err)
{
    bool ok = true;
    pthread_mutex_lock(&pool->mutex);
    if (pool->state == READY && pool->generation == generation)
        ok = reset(pool, err);
    pthread_mutex_unlock(&pool->mutex);
    return ok;
}

/* Loans --------------------------------------------------------------------------------------- */

/* With the mutex held, which it gives away meanwhile; open and busy count the session already. */
static CK_RV session_open(struct sg_pool *pool, struct sg_session *s)
{
    pthread_mutex_unlock(&pool->mutex);
    CK_RV rv = s->p11->C_OpenSession(s->slot, CKF_SERIAL_SESSION, NULL, NULL, &s->handle);
    pthread_mutex_lock(&pool->mutex);
    if (rv != CKR_OK) {
        pool->open--;
        pool->busy--;
        pthread_cond_broadcast(&pool->changed);
    }
    return rv;
}

/* With the mutex held: whether the circuit is closed, or could be closed just now. */
static bool circuit_check(struct sg_pool *pool, struct sg_error *err)
{
    if (pool->state != BROKEN)
        return true;
    if (!pool->pin_refused && sg_clock_monotonic_ms() >= pool->retry_at && reset(pool, err))
        return true;
    if (err) {
        *err = pool->why;
        err->code = SG_E_HSM_UNAVAILABLE;
    }
    return false;
}

/* CKR_OK: on loan. SG_RV_REFUSED: err is filled. */
static CK_RV loan_locked(struct sg_pool *pool, struct sg_session *s, struct sg_error *err)
{
    sg_deadline deadline = sg_deadline_in(pool->options.wait_ms);
    for (;;) {
        if (!circuit_check(pool, err))
            return SG_RV_REFUSED;
        s->generation = pool->generation;
        s->slot = pool->slot;
        if (pool->state == READY && pool->free_count > 0) {
            s->handle = pool->free[--pool->free_count];
            pool->busy++;
            return CKR_OK;
        }
        if (pool->state == READY && pool->open < pool->max) {
            pool->open++;
            pool->busy++;
            CK_RV rv = session_open(pool, s);
            if (rv != CKR_SESSION_COUNT || pool->open == 0)
                return rv;
            pool->max = pool->open; /* the token has no more to give */
        }
        if (!wait_change(pool, deadline)) {
            sg_fail(err, SG_E_BUSY, "no session with the HSM came free");
            return SG_RV_REFUSED;
        }
    }
}

static CK_RV loan(struct sg_pool *pool, struct sg_session *s, struct sg_error *err)
{
    s->pool = pool;
    s->p11 = pool->options.module->p11;
    pthread_mutex_lock(&pool->mutex);
    CK_RV rv = loan_locked(pool, s, err);
    pthread_mutex_unlock(&pool->mutex);
    return rv;
}

static void give_back(const struct sg_session *s, CK_RV rv)
{
    struct sg_pool *pool = s->pool;
    bool keep = rv == CKR_OK || rv == SG_RV_REFUSED;
    if (!keep)
        s->p11->C_CloseSession(s->handle); /* whatever was begun in it ends with it */
    pthread_mutex_lock(&pool->mutex);
    pool->busy--;
    if (keep)
        pool->free[pool->free_count++] = s->handle;
    else
        pool->open--;
    if (pool->state == RESETTING)
        pthread_cond_broadcast(&pool->changed);
    else
        pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

bool sg_pool_run(struct sg_pool *pool, sg_pool_work work, void *arg, struct sg_error *err)
{
    bool stale = false;
    int lost = 0;
    for (;;) {
        struct sg_error why = {0};
        struct sg_session s;
        CK_RV rv = loan(pool, &s, &why);
        if (rv == CKR_OK) {
            rv = work(&s, arg, &why);
            give_back(&s, rv);
        }
        enum sg_rv_kind kind = sg_rv_kind(rv);
        if (kind == SG_RV_OK)
            return true;
        if (rv == SG_RV_REFUSED) {
            if (err)
                *err = why;
            return false;
        }
        if (kind == SG_RV_STALE && !stale) {
            stale = true;
        } else if ((kind == SG_RV_STALE || kind == SG_RV_LOST) && lost < LOSSES_MAX) {
            lost++;
            if (!reset_since(pool, s.generation, &why))
                return sg_fail_lib(err, SG_E_HSM_UNAVAILABLE, why.lib, why.lib_code, "%s",
                                   why.detail);
        } else {
            bool gone = kind == SG_RV_STALE || kind == SG_RV_LOST;
            return sg_fail_pkcs11(err, gone ? SG_E_HSM_UNAVAILABLE : SG_E_HSM_OPERATION, rv,
                                  "the HSM failed");
        }
    }
}

struct sg_pool_state sg_pool_state(struct sg_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    struct sg_pool_state state = {.busy = pool->busy,
                                  .idle = pool->free_count,
                                  .limit = pool->max,
                                  .broken = pool->state == BROKEN,
                                  .logins = pool->generation};
    pthread_mutex_unlock(&pool->mutex);
    return state;
}

/* Further sessions ----------------------------------------------------------------------------- */

CK_SESSION_HANDLE sg_session_keeper_begin(const struct sg_session *session)
{
    pthread_mutex_lock(&session->pool->keeper_mutex);
    return session->pool->keeper;
}

void sg_session_keeper_end(const struct sg_session *session)
{
    pthread_mutex_unlock(&session->pool->keeper_mutex);
}

CK_RV sg_session_writable(const struct sg_session *session, CK_SESSION_HANDLE *handle_r)
{
    return session->p11->C_OpenSession(session->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                       NULL, handle_r);
}

CK_RV sg_session_check(const struct sg_session *session)
{
    CK_SESSION_INFO info;
    CK_RV rv = session->p11->C_GetSessionInfo(session->handle, &info);
    if (rv != CKR_OK)
        return rv;
    return info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS
               ? CKR_OK
               : CKR_USER_NOT_LOGGED_IN;
}
