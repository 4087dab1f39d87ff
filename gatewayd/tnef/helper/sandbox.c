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

bool sg_sandbox_enter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return false;
    /* The filter's flag NO_NEW_PRIVS is on by default. */
    bool ok =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, SCMP_A0(SCMP_CMP_EQ, 0)) == 0 &&
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, 1)) ==
            0 &&
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(exit_group), 0) == 0 &&
        seccomp_load(filter) == 0;
    /* The filter's own memory stays: to give it back may ask the kernel. */
    return ok;
}
