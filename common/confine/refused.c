/* What was refused: the call fails in its thread, and another thread tells of it, since a handler
 * of signals may not. */
#include "confine/confine_internal.h"

#include "common/log.h"
#include "common/thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CALLS        512 /* numbers; what is beyond is told as the last */
#define PAUSE_MS     1000
#define SI_SECCOMP   1 /* SYS_SECCOMP of the kernel's headers */
#define NAME_OF_NONE "unknown"

#if defined(__x86_64__)
#define RESULT(context) (context)->uc_mcontext.gregs[REG_RAX]
#elif defined(__aarch64__)
#define RESULT(context) (context)->uc_mcontext.regs[0]
#else
#error "say where a system call's result lies"
#endif

static struct sg_metric refused = {
    .name = "sealgate_calls_refused_total",
    .help = "System calls that the process was not allowed to make.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
struct sg_metric *const sg_confine_metrics[] = {&refused, NULL};

static atomic_uint counts[CALLS];
static int told = -1; /* an eventfd */

static int error_of(int call)
{
    switch (call) {
    case SYS_socket:
    case SYS_socketpair:
        return EAFNOSUPPORT;
    case SYS_clone:
    case SYS_ioctl:
    case SYS_kill:
    case SYS_mmap:
    case SYS_mprotect:
    case SYS_prctl:
        return EPERM;
    default:
        return ENOSYS;
    }
}

static void refuse(int number, siginfo_t *info, void *context)
{
    const uint64_t one = 1;
    int e = errno;
    (void)number;
    if (info->si_code != SI_SECCOMP)
        return; /* somebody's kill */
    int call = info->si_syscall;
    atomic_fetch_add(&counts[call >= 0 && call < CALLS ? call : CALLS - 1], 1);
    sg_metric_add(&refused, 0, 0, 1);
    (void)!write(told, &one, sizeof one);
    RESULT((ucontext_t *)context) = -error_of(call);
    errno = e;
}

static void tell(int call, unsigned count)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
    sg_log(SG_LOG_ERROR, "process.call-refused", "call", name ? name : NAME_OF_NONE, "number",
           sg_log_num(call), "times", sg_log_num(count), NULL);
    free(name);
}

static void *watch(void *arg)
{
    uint64_t ignored;
    (void)arg;
    for (;;) {
        if (read(told, &ignored, sizeof ignored) < 0 && errno != EINTR)
            return NULL;
        for (int call = 0; call < CALLS; call++) {
            unsigned count = atomic_exchange(&counts[call], 0);
            if (count)
                tell(call, count);
        }
        poll(NULL, 0, PAUSE_MS); /* the log is not to be filled by whoever tries */
    }
}

bool sg_confine_watch(struct sg_error *err)
{
    struct sigaction action = {.sa_sigaction = refuse, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t sigsys;
    told = eventfd(0, EFD_CLOEXEC);
    if (told < 0)
        return sg_fail_errno(err, SG_E_IO, "eventfd");
    sigemptyset(&action.sa_mask);
    sigemptyset(&sigsys);
    sigaddset(&sigsys, SIGSYS);
    if (sigaction(SIGSYS, &action, NULL) != 0 || pthread_sigmask(SIG_UNBLOCK, &sigsys, NULL) != 0)
        return sg_fail_errno(err, SG_E_IO, "SIGSYS");
    return sg_thread_start_detached(watch, NULL) ||
           sg_fail(err, SG_E_BUSY, "no thread to tell of refused calls");
}
