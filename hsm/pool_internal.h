/* What pool.c and opener.c share. */
#ifndef SG_HSM_POOL_INTERNAL_H
#define SG_HSM_POOL_INTERNAL_H

#include "hsm/pool.h"

#include <pthread.h>

enum sg_pool_phase {
    SG_POOL_BROKEN,  /* the circuit is open, as it is before the first login */
    SG_POOL_READY,   /* the opener may be renewing the login meanwhile */
    SG_POOL_OPENING, /* waits for the sessions on loan, then logs in anew */
    SG_POOL_CLOSING, /* the same, then stops the module */
    SG_POOL_CLOSED
};

/* Of one thread that has a session, or waits for one. */
struct sg_loan {
    struct sg_session session;
    sg_deadline deadline;
    pthread_cond_t turn;        /* made when it is waited for */
    struct sg_loan *next, **at; /* of those out */
    bool waits;
    struct sg_loan *behind; /* of those waiting */
};

struct sg_pool {
    struct sg_pool_options options;
    pthread_t opener;
    pthread_mutex_t mutex;
    pthread_cond_t wanted;  /* for the opener: there may be something to do */
    pthread_cond_t settled; /* it has done it */
    enum sg_pool_phase phase;
    unsigned generation, logins;
    bool renewing;                   /* when READY: the login is to be renewed */
    int max, open, busy, free_count; /* open: on loan, being opened, or free */
    CK_SESSION_HANDLE *free;
    struct sg_loan *out;                   /* on loan, or being opened: busy of them */
    struct sg_loan *waiting, **last_waits; /* first come, first served */
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE keeper;
    pthread_mutex_t keeper_mutex;
    bool started;           /* the module; the opener's */
    bool suspect;           /* it ran out of descriptors: what it says is not there may be there */
    bool failing;           /* it fails at whatever it is asked, though the login stands */
    int64_t phase_since_ms; /* all these of sg_clock_monotonic_ms() */
    int64_t retry_at_ms;    /* when BROKEN */
    int64_t more_at_ms;     /* when the token had no session more: when it is asked again */
    int64_t back_at_ms;     /* when something came back from the module last */
    sg_deadline opened_by;  /* of the opener's calls into the module; 0: it is not in there */
    int stuck;
    bool hung;
    bool pin_refused;    /* when BROKEN, or of the login that could not be renewed */
    struct sg_error why; /* when BROKEN, or the login could not be renewed */
};

/* With the mutex held. All who wait for something look again. */
void sg_pool_phase_set(struct sg_pool *pool, enum sg_pool_phase phase);

/* Has the HSM make a key. CKR_OK, or what a module says that has lost its HSM. */
CK_RV sg_pool_prove(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session);

/* The pool's thread; arg is the pool. Ends with SG_POOL_CLOSED. */
void *sg_pool_opener(void *arg);

#endif
