/*
 * A bounded, timed pool of sessions with one token, one login for all of them.
 *
 * Work is run with a session and run again where the session or an object's handle was lost:
 * once the operations in flight have ended, all sessions are closed, the login is made anew and
 * the generation counts up; handles of an older generation mean nothing. The same is done where the
 * login stands and the HSM fails at whatever it is asked. Where that fails the circuit opens:
 * everything fails at once with SG_E_HSM_UNAVAILABLE until the retry time is over. A PIN that was
 * refused is not tried again before sg_pool_reopen(). Where the token has fewer sessions to give
 * (others may have them), the pool does with those, and while somebody waits asks for one more each
 * time that the retry time is over.
 *
 * A module may hang, and a thread cannot be taken out of it. So the module is started, opened and
 * stopped by a thread of the pool's own, for which nobody waits without a deadline; and who calls
 * sg_pool_watch() learns of work that is past its deadline. While nothing comes back from the
 * module, the circuit is open too; it closes by itself with the first thing that does.
 */
#ifndef SG_HSM_POOL_H
#define SG_HSM_POOL_H

#include "common/deadline.h"
#include "hsm/token.h"

struct sg_pool;

struct sg_pool_options {
    const struct sg_module *module; /* of the caller, loaded, not started; outlives the pool */
    struct sg_token_choice token;
    const char *pin_file;
    int sessions;
    int64_t wait_ms, retry_ms;
    int64_t hang_ms; /* nothing back from the module for so long, and something is overdue */
};

/* A session on loan to one thread. Read-only towards the token; see sg_session_writable(). */
struct sg_session {
    struct sg_pool *pool;
    CK_FUNCTION_LIST *p11;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE handle;
    unsigned generation;
};

struct sg_pool *sg_pool_new(const struct sg_pool_options *options);
/*
 * Waits for the work in progress, closes all sessions and stops the module; nothing is run any
 * more. false: not by the deadline, a thread is still in the module: the process must leave without
 * cleaning up.
 */
SG_MUST_USE bool sg_pool_close(struct sg_pool *pool, sg_deadline deadline);
/* After sg_pool_close() said true. */
void sg_pool_free(struct sg_pool **pool);

/*
 * Reads the PIN, logs in. Also for SIGHUP: while all is well, beside the operations that run, which
 * are not waited for, and where the token refuses the PIN the login that stands goes on to serve.
 * Otherwise closes what is open first. Returns by the deadline; where it is not done by then, it
 * goes on.
 */
SG_MUST_USE bool sg_pool_reopen(struct sg_pool *pool, sg_deadline deadline, struct sg_error *err);

struct sg_pool_state {
    int busy, idle, limit; /* sessions */
    int stuck;             /* calls past their deadline, at the last sg_pool_watch() */
    bool broken;           /* the circuit is open */
    unsigned logins;
};
struct sg_pool_state sg_pool_state(struct sg_pool *pool);

/*
 * Looks for work that is past its deadline, and judges whether the module hangs; to be called
 * several times within hang_ms. Returns for how long the oldest has been overdue, 0: none is.
 */
int64_t sg_pool_watch(struct sg_pool *pool);

/*
 * The work returns what the token said; or fills err itself and returns SG_RV_REFUSED. It may run
 * more than once. Objects it makes it destroys, also when it fails. By the deadline it should have
 * ended; it is not begun later, but nothing stops it.
 */
#define SG_RV_REFUSED (CKR_VENDOR_DEFINED | 0x5347UL)
typedef CK_RV (*sg_pool_work)(const struct sg_session *session, void *arg, struct sg_error *err);
SG_MUST_USE bool sg_pool_run(struct sg_pool *pool, sg_pool_work work, void *arg,
                             sg_deadline deadline, struct sg_error *err);

/*
 * The session that lives as long as its generation: what is unwrapped in it stays. For one thread
 * at a time, which holds a session of the pool.
 */
CK_SESSION_HANDLE sg_session_keeper_begin(const struct sg_session *session);
void sg_session_keeper_end(const struct sg_session *session);
/* A further session that may write to the token; closed by the caller. */
CK_RV sg_session_writable(const struct sg_session *session, CK_SESSION_HANDLE *handle_r);
/* CKR_OK while the login stands, else CKR_USER_NOT_LOGGED_IN. */
CK_RV sg_session_check(const struct sg_session *session);
/*
 * Of what was looked for and not found: CKR_OK where it is not there, else CKR_DEVICE_ERROR, upon
 * which the work is run again with a module that sees again: SoftHSM hides what it could not open.
 */
CK_RV sg_session_sees(const struct sg_session *session);

#endif
