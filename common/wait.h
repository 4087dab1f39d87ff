/* Conditions that are waited for by the monotonic clock, which nobody sets. */
#ifndef SG_COMMON_WAIT_H
#define SG_COMMON_WAIT_H

#include "common/deadline.h"

#include <pthread.h>

void sg_cond_init(pthread_cond_t *cond);
/*
 * Waits for cond once, with the mutex held. false: the deadline has passed. As with every
 * condition, what it stands for is looked at again afterwards.
 */
bool sg_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, sg_deadline deadline);

#endif
