#include "tnef/tnef_internal.h"

#include "common/spawn.h"
#include "tnefreader/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENT 24

static bool spawn(const struct sg_tnef_options *o, int fd, pid_t *pid_r, struct sg_error *err)
{
    char request[ARGUMENT], memory[ARGUMENT], cpu[ARGUMENT], depth[ARGUMENT];
    char program[] = "sealgate-tnef";
    char *argv[] = {program, request, memory, cpu, depth, NULL};
    const int fds[3] = {fd, fd, -1};
    snprintf(request, sizeof request, "%zu", o->request_bytes);
    snprintf(memory, sizeof memory, "%zu", o->memory_bytes);
    snprintf(cpu, sizeof cpu, "%lld", (long long)(o->cpu_ms + 999) / 1000);
    snprintf(depth, sizeof depth, "%u", o->max_depth);
    return sg_spawn(o->helper, argv, fds, pid_r, err);
}

bool sg_tnef_process_start(const struct sg_tnef_options *options, struct sg_tnef_process *process_r,
                           struct sg_error *err)
{
    int pair[2];
    *process_r = (struct sg_tnef_process){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return sg_fail_errno(err, SG_E_IO, "no socket pair for the TNEF helper");
    int flags = fcntl(pair[0], F_GETFL);
    bool ok = (flags >= 0 && fcntl(pair[0], F_SETFL, flags | O_NONBLOCK) == 0) ||
              sg_fail_errno(err, SG_E_IO, "no socket pair for the TNEF helper");
    ok = ok && spawn(options, pair[1], &process_r->pid, err);
    close(pair[1]);
    if (ok)
        process_r->fd = pair[0];
    else
        close(pair[0]);
    return ok;
}

static int64_t us(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static int reap(struct sg_tnef_process *process)
{
    int status = 0;
    struct rusage used = {0};
    while (wait4(process->pid, &status, 0, &used) < 0 && errno == EINTR)
        ;
    close(process->fd);
    *process = (struct sg_tnef_process){.fd = -1, .cpu_us = us(used.ru_utime) + us(used.ru_stime)};
    return status;
}

void sg_tnef_process_end(struct sg_tnef_process *process)
{
    kill(process->pid, SIGKILL);
    reap(process);
}

static enum sg_tnef_outcome exited(int code, struct sg_error *err)
{
    switch (code) {
    case SG_TNEF_EXIT_LIMITS:
    case SG_TNEF_EXIT_MEMORY:
        sg_fail(err, SG_E_IO, "the TNEF helper cannot have the memory and limits it is given");
        return SG_TNEF_OUTCOME_UNAVAILABLE;
    case SG_TNEF_EXIT_SANDBOX:
        sg_fail(err, SG_E_IO, "the TNEF helper cannot enter its sandbox (seccomp)");
        return SG_TNEF_OUTCOME_UNAVAILABLE;
    default:
        sg_fail(err, SG_E_MALFORMED, "the TNEF helper ended without an answer (status %d)", code);
        return SG_TNEF_OUTCOME_GARBAGE;
    }
}

static enum sg_tnef_outcome cause(const struct sg_tnef_options *options, int status,
                                  struct sg_error *err)
{
    if (WIFEXITED(status))
        return exited(WEXITSTATUS(status), err);
    switch (WTERMSIG(status)) {
    case SIGSYS:
        sg_fail(err, SG_E_MALFORMED, "the TNEF helper tried what its sandbox forbids");
        return SG_TNEF_OUTCOME_SANDBOX;
    case SIGXCPU:
        sg_fail(err, SG_E_LIMIT, "the TNEF stream takes more than %lld ms of CPU time",
                (long long)options->cpu_ms);
        return SG_TNEF_OUTCOME_LIMIT;
    case SIGKILL:
        sg_fail(err, SG_E_IO, "the TNEF helper was killed");
        return SG_TNEF_OUTCOME_KILLED;
    default:
        sg_fail(err, SG_E_MALFORMED, "the TNEF helper died of signal %d", WTERMSIG(status));
        return SG_TNEF_OUTCOME_CRASH;
    }
}

enum sg_tnef_outcome sg_tnef_process_autopsy(const struct sg_tnef_options *options,
                                             struct sg_tnef_process *process, sg_deadline deadline,
                                             struct sg_error *err)
{
    int pidfd = pidfd_open(process->pid, 0);
    bool ended = pidfd >= 0 && sg_io_wait(pidfd, POLLIN, deadline, err);
    if (pidfd >= 0)
        close(pidfd);
    if (ended)
        return cause(options, reap(process), err);
    sg_tnef_process_end(process);
    sg_fail(err, SG_E_TIMEOUT, "the TNEF helper closed its connection but did not end");
    return SG_TNEF_OUTCOME_TIMEOUT;
}
