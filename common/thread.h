/*
 * Threads that leave the signals that end or reload a daemon to its main thread (daemon.h), and
 * take those alone that tell of what they did themselves: faults, and SIGSYS of the filter of
 * system calls (confine/confine.h), which must not be blocked.
 */
#ifndef SG_COMMON_THREAD_H
#define SG_COMMON_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* false: there is no thread for it. */
bool sg_thread_start(pthread_t *thread_r, void *(*run)(void *), void *arg);
/* Nobody joins it. */
bool sg_thread_start_detached(void *(*run)(void *), void *arg);

#endif
