#include "tnefreader/sandbox.h"

#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static bool limit(int what, size_t soft, size_t hard)
{
    struct rlimit r = {soft, hard};
    return setrlimit((__rlimit_resource_t)what, &r) == 0;
}

bool sg_sandbox_limits(size_t memory_bytes, unsigned cpu_seconds)
{
    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_FSIZE, 0, 0) && limit(RLIMIT_NOFILE, 0, 0) &&
           limit(RLIMIT_NPROC, 0, 0) && limit(RLIMIT_AS, memory_bytes, memory_bytes) &&
           limit(RLIMIT_CPU, cpu_seconds, cpu_seconds + 1u) && prctl(PR_SET_DUMPABLE, 0) == 0;
}

/* One system call, of one descriptor. */
static bool allow(scmp_filter_ctx filter, int call, unsigned descriptor)
{
    const struct scmp_arg_cmp only = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = descriptor};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &only) == 0;
}

bool sg_sandbox_enter(void)
{
    /* It also sets that the process gains no privileges. Its memory stays: to give it back may
     * ask the kernel for what it then forbids. */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    return filter && allow(filter, SCMP_SYS(read), 0) && allow(filter, SCMP_SYS(write), 1) &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(exit_group), 0) == 0 &&
           seccomp_load(filter) == 0;
}
