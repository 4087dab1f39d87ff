/*
 * The pool's own thread: it alone starts the module, logs in, and stops it, so that a module that
 * hangs there holds up nobody else.
 */
#include "hsm/pool_internal.h"

#include "common/log.h"
#include "common/wait.h"

static bool log_in(const struct sg_pool_options *o, CK_SLOT_ID *slot, CK_SESSION_HANDLE *keeper_r,
                   struct sg_error *err)
{
    return sg_token_find(o->module, &o->token, slot, err) &&
           sg_token_login(o->module, *slot, o->pin_file, false, keeper_r, err);
}

/* Of a module that failed at everything: that it logs in says nothing, it did before. */
static bool prove(const struct sg_pool_options *o, CK_SESSION_HANDLE keeper, struct sg_error *err)
{
    CK_RV rv = sg_pool_prove(o->module->p11, keeper);
    if (rv == CKR_OK)
        return true;
    o->module->p11->C_CloseSession(keeper);
    return sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "the HSM does nothing");
}

/*
 * Without the mutex, and nobody else is in the module, which is started anew where that is wanted
 * or needed. slot is the old one, then the new.
 */
static bool connect_token(struct sg_pool *pool, bool was_open, bool anew, CK_SLOT_ID *slot,
                          CK_SESSION_HANDLE *keeper_r, struct sg_error *err)
{
    const struct sg_pool_options *o = &pool->options;
    if (pool->started && anew) {
        if (was_open)
            o->module->p11->C_CloseAllSessions(*slot);
        sg_module_stop(o->module);
        pool->started = false;
    }
    if (pool->started) {
        if (was_open)
            o->module->p11->C_CloseAllSessions(*slot);
        if (log_in(o, slot, keeper_r, err))
            return true;
        if (err->code == SG_E_CONFIG)
            return false;
        /* Many modules see a token that came back only after they were started anew. */
        sg_module_stop(o->module);
        pool->started = false;
        sg_error_reset(err);
    }
    pool->started = sg_module_start(o->module, err);
    return pool->started && log_in(o, slot, keeper_r, err);
}

/* With the mutex held. */
static void break_circuit(struct sg_pool *pool, const struct sg_error *why)
{
    pool->why = *why;
    pool->pin_refused = sg_token_pin_refused(why);
    pool->retry_at_ms = sg_clock_monotonic_ms() + pool->options.retry_ms;
    sg_pool_phase_set(pool, SG_POOL_BROKEN);
    sg_log_error(SG_LOG_ERROR, "hsm.lost", why, NULL);
}

/* With the mutex held, which it gives away meanwhile. */
static bool connect_unlocked(struct sg_pool *pool, struct sg_error *err)
{
    CK_SLOT_ID slot = pool->slot;
    CK_SESSION_HANDLE keeper = CK_INVALID_HANDLE;
    bool was_open = pool->generation > 0;
    bool suspect = pool->suspect, failing = pool->failing;
    pool->suspect = pool->failing = false;
    pool->opened_by = sg_deadline_in(pool->options.hang_ms);
    pthread_mutex_unlock(&pool->mutex);
    bool ok = connect_token(pool, was_open, suspect || failing, &slot, &keeper, err) &&
              (!failing || prove(&pool->options, keeper, err));
    pthread_mutex_lock(&pool->mutex);
    pool->suspect |= suspect && !ok;
    pool->failing |= failing && !ok;
    pool->opened_by = 0;
    pool->back_at_ms = sg_clock_monotonic_ms();
    pool->slot = slot;
    pool->keeper = keeper;
    return ok;
}

/*
 * With the mutex held, in SG_POOL_OPENING. Drains first: to close sessions under a running
 * operation crashes SoftHSM.
 */
static void open_anew(struct sg_pool *pool)
{
    struct sg_error why = {0};
    sg_deadline deadline = sg_deadline_in(pool->options.wait_ms);
    bool ok = true;
    if (pool->pin_refused) { /* at SIGHUP, when the login that is lost now still stood */
        why = pool->why;
        break_circuit(pool, &why);
        return;
    }
    while (ok && pool->busy > 0 && pool->stuck == 0 && pool->phase == SG_POOL_OPENING)
        ok = sg_cond_wait(&pool->wanted, &pool->mutex, deadline);
    if (pool->phase != SG_POOL_OPENING)
        return;
    ok = pool->busy == 0 ? connect_unlocked(pool, &why)
                         : sg_fail(&why, SG_E_HSM_UNAVAILABLE, "the HSM does not answer");
    if (ok) {
        pool->open = pool->free_count = 0;
        pool->max = pool->options.sessions;
        pool->generation++;
        pool->logins++;
        sg_log(SG_LOG_INFO, "hsm.ready", "generation", sg_log_num(pool->generation), NULL);
    }
    if (pool->phase != SG_POOL_OPENING)
        return; /* it is to be closed */
    if (ok)
        sg_pool_phase_set(pool, SG_POOL_READY);
    else
        break_circuit(pool, &why);
}

/*
 * With the mutex held, which it gives away meanwhile; in SG_POOL_READY, and others work on. Where
 * that is not how one logs in, all is opened anew as after a loss; but with a PIN that was refused
 * nothing more is tried, for the old login may stand.
 */
static void renew(struct sg_pool *pool)
{
    const struct sg_pool_options *o = &pool->options;
    struct sg_error why = {0};
    CK_SLOT_ID slot = pool->slot;
    CK_SESSION_HANDLE session;
    pool->opened_by = sg_deadline_in(o->hang_ms);
    pthread_mutex_unlock(&pool->mutex);
    bool ok = sg_token_login(o->module, slot, o->pin_file, false, &session, &why);
    if (ok)
        o->module->p11->C_CloseSession(session);
    pthread_mutex_lock(&pool->mutex);
    pool->opened_by = 0;
    pool->back_at_ms = sg_clock_monotonic_ms();
    if (!ok && sg_token_pin_refused(&why)) {
        pool->pin_refused = true;
        pool->why = why;
    }
    if (!pool->renewing)
        return; /* it was lost meanwhile, or is to be closed */
    pool->logins += ok;
    if (ok || why.code == SG_E_CONFIG) {
        pool->why = why;
        pool->renewing = false;
        pthread_cond_broadcast(&pool->settled);
    } else {
        sg_pool_phase_set(pool, SG_POOL_OPENING);
    }
}

/* With the mutex held, in SG_POOL_CLOSING. */
static void stop_module(struct sg_pool *pool)
{
    while (pool->busy > 0)
        pthread_cond_wait(&pool->wanted, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    if (pool->generation > 0 && pool->started)
        pool->options.module->p11->C_CloseAllSessions(pool->slot);
    if (pool->started)
        sg_module_stop(pool->options.module);
    pthread_mutex_lock(&pool->mutex);
    sg_pool_phase_set(pool, SG_POOL_CLOSED);
}

void *sg_pool_opener(void *arg)
{
    struct sg_pool *pool = arg;
    pthread_mutex_lock(&pool->mutex);
    while (pool->phase != SG_POOL_CLOSED) {
        if (pool->phase == SG_POOL_OPENING)
            open_anew(pool);
        else if (pool->phase == SG_POOL_CLOSING)
            stop_module(pool);
        else if (pool->renewing && !pool->hung)
            renew(pool);
        else
            pthread_cond_wait(&pool->wanted, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}
