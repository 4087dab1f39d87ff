#include "pipeline/even.h"

#include "pipeline/metrics.h"

#include <errno.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

int64_t sg_even_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void sg_even_note(struct sg_message *m, const struct sg_inbound_judgement *j)
{
    m->even |= j->facts.for_us && j->plan.action != SG_ACT_DELIVER;
#ifdef SG_LEAKY_ORACLE /* the mistake that tests/system/test_oracle.py must see */
    m->even &= j->facts.opened;
#endif
}

void sg_even_wait(struct sg_message *m)
{
    if (!m->even)
        return;
    m->even = false;
    double mib = (double)sg_spool_size(m->body) / (1024 * 1024);
    int64_t end = m->began + m->gw->failure_ms * NS_PER_MS +
                  (int64_t)(mib * (double)(m->gw->failure_each_ms * NS_PER_MS));
    if (m->gw->failure_ms && sg_even_now() > end)
        sg_count_floor_exceeded();
    struct timespec ts = {end / NS_PER_S, end % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        ;
}
