/* What a thread has in hand, and the handler that notes it when the thread crashes. */
#include "crash/crash_internal.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef SG_SANITIZED /* which tells of the others itself */
static const int crashing[] = {SIGABRT};
#else
static const int crashing[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#endif

#define DIGEST_SHOWN 8 /* octets of it, in hexadecimal digits, at the end of an id that is cut */

#define DEPTH 2 /* a message, and what is looked at because of it */

static _Thread_local struct {
    unsigned count; /* of what was taken, though there is room for no more than DEPTH */
    struct crash_name names[DEPTH];
} hand;
static _Thread_local bool has_stack;
static _Atomic(struct crash_table *) table;
static pthread_key_t stacks;
static pthread_once_t stacks_once = PTHREAD_ONCE_INIT;
static int stacks_made;

/* In the handler: nothing but stores into memory that is there. */
static void note(int number)
{
    struct crash_table *t = atomic_load(&table);
    if (!t)
        return;
    unsigned n = atomic_fetch_add(&t->found_count, 1);
    if (n >= CRASH_FOUND)
        return;
    if (hand.count)
        t->found[n].name = hand.names[hand.count <= DEPTH ? hand.count - 1 : DEPTH - 1];
    atomic_store(&t->found[n].signal, number);
}

/*
 * Notes, and lets the default action happen: the instruction that faulted faults again, abort()
 * goes on, and what was sent by somebody is sent again. Somebody else's kill is nobody's fault.
 * The action is reset here and not by SA_RESETHAND: a second thread that crashes meanwhile shall
 * not end the process before this one has noted.
 */
static void crashed(int number, siginfo_t *info, void *context)
{
    (void)context;
    bool sent = info->si_code <= 0;
    if (!sent || info->si_pid == getpid())
        note(number);
    signal(number, SIG_DFL);
    if (sent)
        raise(number);
}

/* A thread's alternate stack, on which the handler runs when the thread's own is used up. */
static void stack_free(void *memory)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    if (sigaltstack(&none, NULL) == 0)
        free(memory);
}

static void stacks_make(void)
{
    stacks_made = pthread_key_create(&stacks, stack_free) == 0;
}

static void stack_give(void)
{
    stack_t stack;
    has_stack = true; /* or it does without */
    if (!stacks_made || sigaltstack(NULL, &stack) != 0 || !(stack.ss_flags & SS_DISABLE))
        return;
    stack = (stack_t){.ss_size = (size_t)SIGSTKSZ};
    stack.ss_sp = malloc(stack.ss_size);
    if (stack.ss_sp &&
        (pthread_setspecific(stacks, stack.ss_sp) != 0 || sigaltstack(&stack, NULL) != 0)) {
        pthread_setspecific(stacks, NULL);
        free(stack.ss_sp);
    }
}

bool crash_hand_watch(struct crash_table *t, struct sg_error *err)
{
    struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old;
    atomic_store(&table, t);
    if (!t)
        return true;
    pthread_once(&stacks_once, stacks_make);
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof crashing / sizeof *crashing; i++)
        if (sigaction(crashing[i], NULL, &old) != 0 ||
            (old.sa_handler == SIG_DFL && sigaction(crashing[i], &action, NULL) != 0))
            return sg_fail_errno(err, SG_E_INTERNAL, "signal %d", crashing[i]);
    return true;
}

struct crash_name crash_name_of(enum sg_crash_kind kind, const char *id)
{
    struct crash_name name = {.kind = *id ? kind : SG_CRASH_NOTHING};
    size_t len = strlen(id), room = sizeof name.id - 1;
    uint8_t digest[EVP_MAX_MD_SIZE];
    memcpy(name.id, id, len < room ? len : room);
    if (len <= room)
        return name;
    if (EVP_Digest(id, len, digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
    for (size_t i = 0; i < DIGEST_SHOWN; i++)
        snprintf(name.id + room - 2 * (DIGEST_SHOWN - i), 3, "%02x", digest[i]);
    return name;
}

void crash_hand_take(enum sg_crash_kind kind, const char *id)
{
    if (!has_stack)
        stack_give();
    if (hand.count < DEPTH)
        hand.names[hand.count] = crash_name_of(kind, id);
    hand.count++;
    atomic_signal_fence(memory_order_seq_cst); /* before whatever may crash */
}

struct crash_name crash_hand_drop(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    hand.count--;
    return hand.count < DEPTH ? hand.names[hand.count] : (struct crash_name){0};
}
