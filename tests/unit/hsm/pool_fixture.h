/* For the tests of hsm/pool.c: a module of our own, whose token does as it is told, and threads
 * that work at it. */
#ifndef SG_TEST_POOL_FIXTURE_H
#define SG_TEST_POOL_FIXTURE_H

#include "hsm/pool_internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HANG_MS 1000

/* A gate holds up who comes to it until it is opened. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open;
    int at; /* threads that have come */
};
#define GATE(is_open)                                                                              \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, is_open, 0                            \
    }
void gate_set(struct gate *g, bool open);
void gate_await(struct gate *g); /* until somebody has come */

/* The module's one token. */
extern struct token {
    struct gate opening, logging_in;
    atomic_int sessions, sessions_max;
    atomic_bool logged_in;
    atomic_bool sick, sick_for_good; /* opens no session: until started anew */
    atomic_bool deaf, deaf_for_good; /* does nothing, but opens sessions and tells their state */
    atomic_ulong deaf_says;          /* when asked for a key */
    atomic_ulong login_fails;        /* once, with that */
    atomic_int login_count;
} token;

/* Of a group: the file with the PIN. Of a test: the token is well. */
extern char pin_file[64];
int pin_file_make(void **state);
int pin_file_remove(void **state);
int pool_setup(void **state);

struct sg_pool *pool_of(int count, int64_t wait_ms);
void pool_end(struct sg_pool *pool);

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
extern char order[16]; /* the letters */
void *runner_run(void *runner);
void runner_start(struct runner *r);
void waiting_await(struct sg_pool *pool, int count);

/* Pieces of work, whose argument counts how often they are done (int): fails, the first time after
 * somebody has logged us out; fails always. */
CK_RV work_twice(const struct sg_session *session, void *arg, struct sg_error *err);
CK_RV work_failing(const struct sg_session *session, void *arg, struct sg_error *err);

/* Until something is overdue, and the circuit open or not. */
void overdue_await(struct sg_pool *pool, bool hung);

#endif
