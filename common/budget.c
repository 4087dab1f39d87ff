#include "common/budget.h"

#include <time.h>

#define LOOK_OCTETS ((size_t)64 << 10)

static int64_t cpu_ns(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void sg_budget_begin(struct sg_budget *budget, int64_t cpu_ms)
{
    *budget = (struct sg_budget){.cpu_ms = cpu_ms, .end_ns = cpu_ns() + cpu_ms * 1000000};
}

bool sg_budget_left(struct sg_budget *budget)
{
    if (!budget)
        return true;
    budget->unseen = 0;
    budget->spent = budget->spent || cpu_ns() >= budget->end_ns;
    return !budget->spent;
}

bool sg_budget_octets(struct sg_budget *budget, size_t octets)
{
    if (!budget)
        return true;
    budget->unseen += octets;
    return budget->unseen < LOOK_OCTETS ? !budget->spent : sg_budget_left(budget);
}

void sg_budget_charge(struct sg_budget *budget, int64_t cpu_us)
{
    if (budget)
        budget->end_ns -= cpu_us * 1000;
}

bool sg_budget_check(struct sg_budget *budget, struct sg_error *err)
{
    return sg_budget_left(budget) || sg_fail(err, SG_E_LIMIT, "takes more than %lld ms of CPU time",
                                             (long long)budget->cpu_ms);
}
