#include "common/wait.h"

#include <errno.h>

void sg_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool sg_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, sg_deadline deadline)
{
    struct timespec at = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    return pthread_cond_timedwait(cond, mutex, &at) != ETIMEDOUT;
}
