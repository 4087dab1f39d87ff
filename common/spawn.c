#include "common/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>

#define JOURNAL "JOURNAL_STREAM"

static bool actions_make(posix_spawn_file_actions_t *actions, const int fds[3])
{
    for (int i = 0; i < 3; i++) {
        int e = fds[i] < 0 ? posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0)
                           : posix_spawn_file_actions_adddup2(actions, fds[i], i);
        if (e != 0)
            return false;
    }
    return posix_spawn_file_actions_addclosefrom_np(actions, 3) == 0;
}

static bool attributes_make(posix_spawnattr_t *attributes)
{
    static const int asking[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    sigset_t blocked, all;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        sigaddset(&blocked, asking[i]);
    sigfillset(&all);
    return posix_spawnattr_setsigmask(attributes, &blocked) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &all) == 0 &&
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) ==
               0;
}

bool sg_spawn(const char *program, char *const argv[], const int fds[3], pid_t *pid_r,
              struct sg_error *err)
{
    const char *journal = getenv(JOURNAL);
    char stream[80];
    snprintf(stream, sizeof stream, JOURNAL "=%s", journal ? journal : "");
    char *environment[] = {journal ? stream : NULL, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int e = ENOMEM;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return sg_fail(err, SG_E_NO_MEMORY, "no memory to start %s", program);
    if (posix_spawnattr_init(&attributes) == 0) {
        if (actions_make(&actions, fds) && attributes_make(&attributes))
            e = posix_spawn(pid_r, program, &actions, &attributes, argv, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    errno = e;
    return e == 0 || sg_fail_errno(err, SG_E_IO, "%s cannot be started", program);
}
