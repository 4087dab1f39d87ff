#include "confine/confine_internal.h"

#include "common/log.h"

#include <errno.h>

bool sg_confine_possible(void)
{
#ifdef SG_SANITIZED
    return false;
#else
    return true;
#endif
}

/* Level 2 of the optimiser is a binary tree of the calls, not a chain of comparisons. */
static bool load(scmp_filter_ctx filter, unsigned needs)
{
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
        !sg_confine_rules(filter, needs)) {
        errno = EINVAL;
        return false;
    }
    errno = -seccomp_load(filter);
    return errno == 0;
}

bool sg_confine(unsigned needs, struct sg_error *err)
{
    if (!sg_confine_possible()) {
        sg_log(SG_LOG_WARNING, "process.not-confined", "reason", "a sanitizer's build", NULL);
        return true;
    }
    if (!sg_confine_watch(err))
        return false;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (!filter)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    bool ok = load(filter, needs);
    int e = errno;
    seccomp_release(filter);
    errno = e;
    return ok || sg_fail_errno(err, SG_E_IO,
                               "system calls cannot be filtered here (seccomp); without it: "
                               "[process] confine = no");
}
