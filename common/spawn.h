/*
 * Starts a helper program of the daemon's: with an empty environment (but for JOURNAL_STREAM:
 * common/log.h), three descriptors and no others. What asks the daemon to end is often sent to all
 * of its processes, while the helper still has work: SIGTERM, SIGINT, SIGHUP and SIGQUIT are
 * blocked in it, all else is as usual.
 */
#ifndef SG_COMMON_SPAWN_H
#define SG_COMMON_SPAWN_H

#include "common/error.h"

#include <sys/types.h>

/* fds: what becomes its descriptors 0, 1 and 2; -1 is /dev/null. argv ends with NULL. Nothing of
 * ours runs between fork and exec: safe with threads. SG_E_IO. */
SG_MUST_USE bool sg_spawn(const char *program, char *const argv[], const int fds[3], pid_t *pid_r,
                          struct sg_error *err);

#endif
