/*
 * The calls that daemons make, by strace over the system tests and by what their libraries may
 * make besides: those of newer and older C libraries, of allocators, resolvers and TLS. What
 * changes a user, a mount, the clock, a module, another process or the kernel is not among them,
 * nor is what nobody has a use for after the start: listen, chown, shared memory, io_uring.
 */
#include "confine/confine_internal.h"

#include <errno.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#define INT_MASK 0xffffffffu /* the upper half of an int argument is whatever it is */

/* clang-format off */
static const int all[] = {
    /* Memory, threads, signals. */
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(membarrier), SCMP_SYS(mincore), SCMP_SYS(mlock),
    SCMP_SYS(mlock2), SCMP_SYS(mremap), SCMP_SYS(msync), SCMP_SYS(munlock), SCMP_SYS(munmap),
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(get_robust_list),
    SCMP_SYS(gettid), SCMP_SYS(rseq), SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address),
    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    /* Time, and what can be asked. */
    SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep), SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(getcpu), SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getgroups),
    SCMP_SYS(getpgrp), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getresgid),
    SCMP_SYS(getresuid), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(getuid), SCMP_SYS(prlimit64),
    SCMP_SYS(sysinfo), SCMP_SYS(uname),
    /* Files. */
    SCMP_SYS(access), SCMP_SYS(chmod), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(copy_file_range),
    SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64), SCMP_SYS(fallocate), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fcntl),
    SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync),
    SCMP_SYS(ftruncate), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(lstat),
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat),
    SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(read),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(readv), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(sendfile), SCMP_SYS(stat), SCMP_SYS(statfs),
    SCMP_SYS(statx), SCMP_SYS(sync_file_range), SCMP_SYS(umask), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    SCMP_SYS(utimensat), SCMP_SYS(write), SCMP_SYS(writev),
    /* Sockets that are there, and waiting. */
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
    SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(pipe), SCMP_SYS(pipe2),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pselect6), SCMP_SYS(select)};
static const int network[] = {SCMP_SYS(bind), SCMP_SYS(memfd_create)};
static const int spawn[] = {
    SCMP_SYS(execve), SCMP_SYS(kill), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal), SCMP_SYS(wait4),
    SCMP_SYS(waitid),
    SCMP_SYS(arch_prctl), SCMP_SYS(seccomp), SCMP_SYS(setrlimit)}; /* of the program that is started */
static const int clock[] = {SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime)};
/* clang-format on */

static bool allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
            return false;
    return true;
}
#define ALLOW(filter, calls) allow(filter, calls, sizeof(calls) / sizeof *(calls))

/* Where the argument's bits under the mask are the value. */
static bool when(scmp_filter_ctx filter, int call, unsigned arg, uint64_t mask, uint64_t value)
{
    const struct scmp_arg_cmp only = {
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &only) == 0;
}

/* No memory that can be written and run, nor made so; libraries that are loaded later are mapped
 * as what can be run from the beginning. */
static bool memory(scmp_filter_ctx filter)
{
    return when(filter, SCMP_SYS(mmap), 2, PROT_WRITE, 0) &&
           when(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0) &&
           when(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
}

/* Threads; other processes only for who may spawn; new namespaces for nobody. The flags of clone3
 * cannot be looked at: the C library then uses clone. */
static bool threads(scmp_filter_ctx filter, bool processes)
{
    uint64_t thread = processes ? 0 : CLONE_THREAD;
    return when(filter, SCMP_SYS(clone), 0, NAMESPACES | thread, thread) &&
           seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

/* AF_NETLINK is asked for by getaddrinfo(), which does without: that is not worth a line. */
static bool sockets(scmp_filter_ctx filter, bool inet)
{
    const struct scmp_arg_cmp netlink = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = INT_MASK, .datum_b = AF_NETLINK};
    return when(filter, SCMP_SYS(socket), 0, INT_MASK, AF_UNIX) &&
           when(filter, SCMP_SYS(socketpair), 0, INT_MASK, AF_UNIX) &&
           (!inet || (when(filter, SCMP_SYS(socket), 0, INT_MASK, AF_INET) &&
                      when(filter, SCMP_SYS(socket), 0, INT_MASK, AF_INET6))) &&
           seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  &netlink) == 0;
}

static bool ioctls(scmp_filter_ctx filter)
{
    static const unsigned known[] = {FIONREAD, FIONBIO, FIOCLEX, TCGETS};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!when(filter, SCMP_SYS(ioctl), 1, INT_MASK, known[i]))
            return false;
    return true;
}

/* Never PR_SET_DUMPABLE to anything but 0. */
static bool prctls(scmp_filter_ctx filter, bool spawns)
{
    const struct scmp_arg_cmp undumpable[] = {
        {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = INT_MASK, .datum_b = PR_SET_DUMPABLE},
        {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = 0}};
    static const unsigned known[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA};
    static const unsigned helpers[] = {PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_SET_SECCOMP};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!when(filter, SCMP_SYS(prctl), 0, INT_MASK, known[i]))
            return false;
    for (size_t i = 0; spawns && i < sizeof helpers / sizeof *helpers; i++)
        if (!when(filter, SCMP_SYS(prctl), 0, INT_MASK, helpers[i]))
            return false;
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 2, undumpable) == 0;
}

/* Signals to itself: sg_daemon_stop(). */
static bool signals(scmp_filter_ctx filter)
{
    return when(filter, SCMP_SYS(kill), 0, INT_MASK, (uint64_t)getpid());
}

bool sg_confine_rules(scmp_filter_ctx filter, unsigned needs)
{
    bool spawns = needs & SG_CONFINE_SPAWN, inet = needs & SG_CONFINE_NETWORK;
    return ALLOW(filter, all) && memory(filter) && threads(filter, spawns) &&
           sockets(filter, inet) && ioctls(filter) && prctls(filter, spawns) && signals(filter) &&
           (!inet || ALLOW(filter, network)) && (!spawns || ALLOW(filter, spawn)) &&
           (!(needs & SG_CONFINE_CLOCK) || ALLOW(filter, clock));
}
