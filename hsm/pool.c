#include "hsm/pool_internal.h"

#include "common/log.h"
#include "common/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LOSSES_MAX 2 /* that one piece of work survives */

struct sg_pool *sg_pool_new(const struct sg_pool_options *options)
{
    struct sg_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        abort();
    pool->options = *options;
    pool->max = options->sessions;
    pool->free = calloc((size_t)pool->max, sizeof *pool->free);
    pool->last_waits = &pool->waiting;
    pool->why.code = SG_E_HSM_UNAVAILABLE;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_mutex_init(&pool->keeper_mutex, NULL);
    sg_cond_init(&pool->wanted);
    sg_cond_init(&pool->settled);
    if (!pool->free || pthread_create(&pool->opener, NULL, sg_pool_opener, pool) != 0)
        abort();
    return pool;
}

void sg_pool_free(struct sg_pool **pool_p)
{
    struct sg_pool *pool = *pool_p;
    if (!pool)
        return;
    pthread_join(pool->opener, NULL);
    pthread_cond_destroy(&pool->settled);
    pthread_cond_destroy(&pool->wanted);
    pthread_mutex_destroy(&pool->keeper_mutex);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->free);
    free(pool);
    *pool_p = NULL;
}

/* Phases, and the circuit ---------------------------------------------------------------------- */

static void wake_all(struct sg_pool *pool)
{
    for (struct sg_loan *l = pool->waiting; l; l = l->behind)
        pthread_cond_signal(&l->turn);
}

void sg_pool_phase_set(struct sg_pool *pool, enum sg_pool_phase phase)
{
    pool->phase = phase;
    pool->phase_since_ms = sg_clock_monotonic_ms();
    pool->renewing = false;
    pthread_cond_signal(&pool->wanted);
    pthread_cond_broadcast(&pool->settled);
    wake_all(pool);
}

/* With the mutex held. */
static bool opener_await(struct sg_pool *pool, sg_deadline deadline)
{
    bool ok = true;
    while (ok && (pool->phase == SG_POOL_OPENING || pool->renewing))
        ok = sg_cond_wait(&pool->settled, &pool->mutex, deadline);
    return ok;
}

bool sg_pool_reopen(struct sg_pool *pool, sg_deadline deadline, struct sg_error *err)
{
    pthread_mutex_lock(&pool->mutex);
    pool->pin_refused = false;
    bool ok = opener_await(pool, deadline); /* it may have read the old PIN */
    if (ok) {
        pool->pin_refused = false;
        sg_error_reset(&pool->why);
        if (pool->phase != SG_POOL_READY)
            sg_pool_phase_set(pool, SG_POOL_OPENING);
        else
            pool->renewing = true;
        pthread_cond_signal(&pool->wanted);
        ok = opener_await(pool, deadline);
    }
    if (!ok)
        sg_fail(err, SG_E_HSM_UNAVAILABLE, "the HSM does not answer");
    else if (pool->why.code != SG_OK && err)
        *err = pool->why;
    ok = ok && pool->phase == SG_POOL_READY && pool->why.code == SG_OK;
    pthread_mutex_unlock(&pool->mutex);
    return ok;
}

bool sg_pool_close(struct sg_pool *pool, sg_deadline deadline)
{
    bool ok = sg_pool_watch(pool) == 0; /* else there is nothing to be waited for */
    pthread_mutex_lock(&pool->mutex);
    if (pool->phase < SG_POOL_CLOSING)
        sg_pool_phase_set(pool, SG_POOL_CLOSING);
    while (ok && pool->phase != SG_POOL_CLOSED)
        ok = sg_cond_wait(&pool->settled, &pool->mutex, deadline);
    pthread_mutex_unlock(&pool->mutex);
    return ok;
}

/* Begins anew unless it has been done since that generation. */
static void reset_since(struct sg_pool *pool, unsigned generation)
{
    pthread_mutex_lock(&pool->mutex);
    if (pool->phase == SG_POOL_READY && pool->generation == generation)
        sg_pool_phase_set(pool, SG_POOL_OPENING);
    pthread_mutex_unlock(&pool->mutex);
}

/* With the mutex held: whether a session may be waited for. */
static bool circuit_check(struct sg_pool *pool, struct sg_error *err)
{
    int64_t now = sg_clock_monotonic_ms();
    if (pool->hung)
        return sg_fail(err, SG_E_HSM_UNAVAILABLE, "the HSM does not answer");
    if (pool->phase == SG_POOL_BROKEN && !pool->pin_refused && now >= pool->retry_at_ms)
        sg_pool_phase_set(pool, SG_POOL_OPENING);
    switch (pool->phase) {
    case SG_POOL_READY:
        return true;
    case SG_POOL_OPENING:
        return now - pool->phase_since_ms < pool->options.wait_ms ||
               sg_fail(err, SG_E_HSM_UNAVAILABLE, "the HSM is being opened");
    case SG_POOL_BROKEN:
        return sg_fail_lib(err, SG_E_HSM_UNAVAILABLE, pool->why.lib, pool->why.lib_code, "%s",
                           pool->why.detail);
    default:
        return sg_fail(err, SG_E_HSM_UNAVAILABLE, "hsmd is stopping");
    }
}

int64_t sg_pool_watch(struct sg_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    int64_t now = sg_clock_monotonic_ms(), overdue = 0;
    bool opener = pool->opened_by && now > pool->opened_by, was_hung = pool->hung;
    int was_stuck = pool->stuck;
    pool->stuck = opener;
    if (opener)
        overdue = now - pool->opened_by;
    for (const struct sg_loan *l = pool->out; l; l = l->next) {
        if (now <= l->deadline)
            continue;
        pool->stuck++;
        if (overdue < now - l->deadline)
            overdue = now - l->deadline;
    }
    pool->hung = opener || (pool->stuck && now - pool->back_at_ms >= pool->options.hang_ms);
    if (pool->stuck && !was_stuck)
        pthread_cond_signal(&pool->wanted); /* to wait for it is of no use */
    if (pool->hung != was_hung) {
        wake_all(pool);
        pthread_cond_signal(&pool->wanted);
    }
    int stuck = pool->stuck;
    bool hung = pool->hung;
    pthread_mutex_unlock(&pool->mutex);
    if (hung && !was_hung)
        sg_log(SG_LOG_ERROR, "hsm.hangs", "calls", sg_log_num(stuck), NULL);
    else if (was_hung && !hung)
        sg_log(SG_LOG_INFO, "hsm.answers", "calls", sg_log_num(stuck), NULL);
    return overdue;
}

/* Loans, with the mutex held ------------------------------------------------------------------- */

static void out_add(struct sg_pool *pool, struct sg_loan *l)
{
    pool->busy++;
    l->next = pool->out;
    l->at = &pool->out;
    if (l->next)
        l->next->at = &l->next;
    pool->out = l;
}

static void out_remove(struct sg_pool *pool, struct sg_loan *l)
{
    *l->at = l->next;
    if (l->next)
        l->next->at = l->at;
    if (--pool->busy == 0)
        pthread_cond_signal(&pool->wanted);
}

static void waiter_add(struct sg_pool *pool, struct sg_loan *l)
{
    sg_cond_init(&l->turn);
    l->waits = true;
    l->behind = NULL;
    *pool->last_waits = l;
    pool->last_waits = &l->behind;
}

/* Who was first, and is again. */
static void waiter_return(struct sg_pool *pool, struct sg_loan *l)
{
    sg_cond_init(&l->turn);
    l->waits = true;
    l->behind = pool->waiting;
    if (!l->behind)
        pool->last_waits = &l->behind;
    pool->waiting = l;
}

static void waiter_wake(struct sg_pool *pool)
{
    if (pool->waiting)
        pthread_cond_signal(&pool->waiting->turn);
}

static void waiter_remove(struct sg_pool *pool, struct sg_loan *l)
{
    struct sg_loan **at = &pool->waiting;
    if (!l->waits)
        return;
    l->waits = false;
    while (*at != l)
        at = &(*at)->behind;
    *at = l->behind;
    if (!*at)
        pool->last_waits = at;
    pthread_cond_destroy(&l->turn);
    waiter_wake(pool); /* it may be the next one's turn */
}

/* Gives the mutex away meanwhile. */
static CK_RV session_open(struct sg_pool *pool, struct sg_loan *l)
{
    struct sg_session *s = &l->session;
    pool->open++;
    out_add(pool, l);
    pthread_mutex_unlock(&pool->mutex);
    CK_RV rv = s->p11->C_OpenSession(s->slot, CKF_SERIAL_SESSION, NULL, NULL, &s->handle);
    pthread_mutex_lock(&pool->mutex);
    if (rv != CKR_OK) {
        pool->back_at_ms = sg_clock_monotonic_ms();
        pool->open--;
        out_remove(pool, l);
        waiter_wake(pool);
    }
    return rv;
}

/* Whether a session may be opened; of those that the token did not have, one at a time. */
static bool may_open(const struct sg_pool *pool)
{
    return pool->open < pool->max ||
           (pool->open < pool->options.sessions && sg_clock_monotonic_ms() >= pool->more_at_ms);
}

/*
 * Whether there is an answer: a session (CKR_OK), or none from the token. Without one it may have
 * given the mutex away, *rv_r is CKR_SESSION_COUNT then.
 */
static bool session_take(struct sg_pool *pool, struct sg_loan *l, CK_RV *rv_r)
{
    if (pool->phase != SG_POOL_READY || (pool->waiting && pool->waiting != l) ||
        (pool->free_count == 0 && !may_open(pool)))
        return false;
    l->session.generation = pool->generation;
    l->session.slot = pool->slot;
    if (pool->free_count > 0) {
        l->session.handle = pool->free[--pool->free_count];
        out_add(pool, l);
        *rv_r = CKR_OK;
        return true;
    }
    waiter_remove(pool, l); /* nobody waits behind a session that does not open */
    if (pool->open >= pool->max)
        pool->more_at_ms = sg_deadline_in(pool->options.retry_ms);
    *rv_r = session_open(pool, l);
    if (*rv_r == CKR_OK && pool->max < pool->open)
        pool->max = pool->open;
    if (sg_rv_kind(*rv_r) != SG_RV_FAILED || pool->open == 0)
        return true;
    *rv_r = CKR_SESSION_COUNT; /* whatever it said: the token has no more to give */
    pool->max = pool->open;
    pool->more_at_ms = sg_deadline_in(pool->options.retry_ms);
    waiter_return(pool, l);
    return false;
}

/* Until when to wait for one's turn: who is first looks whether the token has one more. */
static sg_deadline look_at(const struct sg_pool *pool, const struct sg_loan *l, sg_deadline until)
{
    bool asks = pool->phase == SG_POOL_READY && pool->waiting == l &&
                pool->open < pool->options.sessions && pool->more_at_ms < until;
    return asks ? pool->more_at_ms : until;
}

/* CKR_OK: on loan. SG_RV_REFUSED: err is filled. */
static CK_RV lend(struct sg_pool *pool, struct sg_loan *l, struct sg_error *err)
{
    CK_RV rv = SG_RV_REFUSED;
    bool late = false;
    sg_deadline until = 0;
    while (circuit_check(pool, err) && !session_take(pool, l, &rv)) {
        if (rv == CKR_SESSION_COUNT) {
            rv = SG_RV_REFUSED;
            continue;
        }
        if (late) {
            sg_fail(err, SG_E_BUSY, "no session with the HSM came free");
            break;
        }
        if (!until)
            until = sg_deadline_in(pool->options.wait_ms);
        if (until > l->deadline)
            until = l->deadline;
        if (!l->waits)
            waiter_add(pool, l);
        sg_deadline look = look_at(pool, l, until);
        late = !sg_cond_wait(&l->turn, &pool->mutex, look) && look == until;
    }
    waiter_remove(pool, l);
    return rv;
}

/* ---------------------------------------------------------------------------------------------- */

static CK_RV loan_begin(struct sg_pool *pool, struct sg_loan *l, struct sg_error *err)
{
    l->session.pool = pool;
    l->session.p11 = pool->options.module->p11;
    pthread_mutex_lock(&pool->mutex);
    CK_RV rv = lend(pool, l, err);
    pthread_mutex_unlock(&pool->mutex);
    return rv;
}

static void loan_end(struct sg_loan *l, CK_RV rv)
{
    const struct sg_session *s = &l->session;
    struct sg_pool *pool = s->pool;
    bool keep = rv == CKR_OK || rv == SG_RV_REFUSED;
    if (!keep)
        s->p11->C_CloseSession(s->handle); /* whatever was begun in it ends with it */
    pthread_mutex_lock(&pool->mutex);
    pool->back_at_ms = sg_clock_monotonic_ms();
    if (keep)
        pool->free[pool->free_count++] = s->handle;
    else
        pool->open--;
    out_remove(pool, l);
    waiter_wake(pool);
    pthread_mutex_unlock(&pool->mutex);
}

/*
 * Something failed. SoftHSM for one forgets, until it is started anew, the objects whose files it
 * could not open for want of a descriptor.
 */
static bool descriptors_out(struct sg_pool *pool)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool out = fd < 0 && (errno == EMFILE || errno == ENFILE);
    if (fd >= 0)
        close(fd);
    pthread_mutex_lock(&pool->mutex);
    pool->suspect |= out;
    pthread_mutex_unlock(&pool->mutex);
    return out;
}

static bool suspected(struct sg_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    bool yes = pool->suspect && pool->phase == SG_POOL_READY;
    pthread_mutex_unlock(&pool->mutex);
    return yes;
}

/* What a module says when it has lost its HSM, or anything else. */
static bool says_nothing(CK_RV rv)
{
    return rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
}

/*
 * The library of a network HSM may open sessions, and tell their state, from what it remembers when
 * nothing behind it answers any more. So it is asked for what only the HSM can do, and with no key
 * of anybody's: a key that always fails proves nothing, or whoever has one could have the module
 * begun anew for everybody, as often as he likes. A full token, or one that says why, works.
 */
CK_RV sg_pool_prove(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE key;
    CK_ULONG bytes = 32;
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE attrs[] = {SG_P11_VALUE(CKA_VALUE_LEN, bytes), SG_P11_BOOL(CKA_TOKEN, false),
                            SG_P11_BOOL(CKA_PRIVATE, true), SG_P11_BOOL(CKA_SENSITIVE, false),
                            SG_P11_BOOL(CKA_EXTRACTABLE, true)}; /* as a data key */
    CK_RV rv = p11->C_GenerateKey(session, &mechanism, attrs, sizeof attrs / sizeof attrs[0], &key);
    if (rv == CKR_OK)
        p11->C_DestroyObject(session, key);
    return says_nothing(rv) || sg_rv_kind(rv) == SG_RV_LOST ? rv : CKR_OK;
}

/* With a session on loan. What a module says to who was logged out meanwhile may be anything. */
static CK_RV work_run(const struct sg_session *s, sg_pool_work work, void *arg,
                      struct sg_error *err)
{
    CK_RV rv = work(s, arg, err);
    bool failed = rv != SG_RV_REFUSED && sg_rv_kind(rv) == SG_RV_FAILED;
    if (failed && sg_session_check(s) != CKR_OK)
        return CKR_USER_NOT_LOGGED_IN;
    if (!says_nothing(rv) || sg_pool_prove(s->p11, s->handle) == CKR_OK)
        return rv;
    pthread_mutex_lock(&s->pool->mutex);
    s->pool->failing = true;
    pthread_mutex_unlock(&s->pool->mutex);
    return CKR_DEVICE_ERROR;
}

bool sg_pool_run(struct sg_pool *pool, sg_pool_work work, void *arg, sg_deadline deadline,
                 struct sg_error *err)
{
    bool stale = false;
    int lost = 0;
    for (;;) {
        struct sg_error why = {0};
        struct sg_loan l = {.deadline = deadline};
        CK_RV rv = loan_begin(pool, &l, &why);
        bool lent = rv == CKR_OK;
        if (lent) {
            rv = work_run(&l.session, work, arg, &why);
            loan_end(&l, rv);
        }
        enum sg_rv_kind kind = sg_rv_kind(rv);
        if (kind == SG_RV_OK)
            return true;
        /* There is no session, and none to be had: nothing would come of it until begun anew. */
        if (!lent && rv != SG_RV_REFUSED && rv != CKR_SESSION_COUNT)
            kind = SG_RV_LOST;
        if (descriptors_out(pool))
            return sg_fail(err, SG_E_HSM_UNAVAILABLE, "hsmd has no file descriptors left");
        if (suspected(pool) && lost < LOSSES_MAX) {
            lost++;
            reset_since(pool, l.session.generation);
            continue;
        }
        if (rv == SG_RV_REFUSED) {
            if (err)
                *err = why;
            return false;
        }
        if (kind == SG_RV_STALE && !stale) {
            stale = true;
        } else if ((kind == SG_RV_STALE || kind == SG_RV_LOST) && lost < LOSSES_MAX) {
            lost++;
            reset_since(pool, l.session.generation);
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
                                  .stuck = pool->stuck,
                                  .broken = pool->hung || pool->phase == SG_POOL_BROKEN,
                                  .logins = pool->logins};
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

CK_RV sg_session_sees(const struct sg_session *session)
{
    struct sg_pool *pool = session->pool;
    descriptors_out(pool);
    pthread_mutex_lock(&pool->mutex);
    CK_RV rv = pool->suspect ? CKR_DEVICE_ERROR : CKR_OK;
    pthread_mutex_unlock(&pool->mutex);
    return rv;
}
