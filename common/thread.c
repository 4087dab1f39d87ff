#include "common/thread.h"

#include <signal.h>

static const int own[] = {SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};

bool sg_thread_start(pthread_t *thread_r, void *(*run)(void *), void *arg)
{
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    bool ok = pthread_create(thread_r, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

bool sg_thread_start_detached(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    if (!sg_thread_start(&thread, run, arg))
        return false;
    pthread_detach(thread);
    return true;
}
