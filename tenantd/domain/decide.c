#include "domain/decide.h"

#include <string.h>

static sg_time after(sg_time t, int64_t ms)
{
    return t + ms * 1000;
}

static int64_t pause_ms(const struct sg_ownership_times *times, int attempts)
{
    int64_t ms = times->first_ms;
    for (int i = 0; i < attempts && ms < times->longest_ms; i++)
        ms *= 2;
    return ms < times->longest_ms ? ms : times->longest_ms;
}

static sg_time earlier(sg_time a, sg_time b)
{
    return a < b ? a : b;
}

/* Found: owned, whatever was before. */
static void found(const struct sg_ownership_facts *f, const struct sg_ownership_times *times,
                  struct sg_ownership_plan *p)
{
    p->change = strcmp(f->state, "verified") != 0;
    p->event = SG_DOMAIN_PROVED;
    p->next_check_at = after(f->now, times->recheck_ms);
    if (strcmp(f->state, "suspended") == 0)
        p->notice = SG_NOTICE_RESTORED;
}

/* A claim that is not met yet. */
static void sought(const struct sg_ownership_facts *f, const struct sg_ownership_times *times,
                   struct sg_ownership_plan *p)
{
    p->attempts = f->attempts + 1;
    p->deadline_at = after(f->asked_at, times->deadline_ms);
    if (f->now >= p->deadline_at) {
        p->change = true;
        p->event = SG_DOMAIN_EXPIRED;
        return;
    }
    p->next_check_at = earlier(after(f->now, pause_ms(times, f->attempts)), p->deadline_at);
}

static void missing(const struct sg_ownership_facts *f, const struct sg_ownership_times *times,
                    struct sg_ownership_plan *p)
{
    p->missing_since = f->missing_since ? f->missing_since : f->now;
    p->suspend_at = after(p->missing_since, times->grace_ms);
    p->next_check_at = earlier(after(f->now, pause_ms(times, f->attempts)), p->suspend_at);
    if (f->missing_since && f->now >= p->suspend_at) {
        p->change = true;
        p->event = SG_DOMAIN_LOST;
        p->notice = SG_NOTICE_SUSPENDED;
        p->next_check_at = after(f->now, times->longest_ms);
    } else if (f->notices == 0) {
        p->notice = SG_NOTICE_MISSING;
        p->notices++;
    } else if (f->notices == 1 && f->now >= after(p->missing_since, times->grace_ms / 2)) {
        p->notice = SG_NOTICE_REMINDER;
        p->notices++;
    }
}

struct sg_ownership_plan sg_ownership_decide(const struct sg_ownership_facts *f,
                                             const struct sg_ownership_times *times)
{
    struct sg_ownership_plan p = {0};
    if (f->verdict == SG_DNS_FOUND) {
        found(f, times, &p);
        return p;
    }
    if (strcmp(f->state, "pending") == 0 || strcmp(f->state, "attested") == 0) {
        sought(f, times, &p);
        return p;
    }
    p.attempts = f->attempts + 1;
    p.notices = f->notices;
    p.missing_since = f->missing_since;
    if (strcmp(f->state, "verified") == 0 && f->verdict == SG_DNS_MISSING) {
        missing(f, times, &p);
    } else { /* suspended, or nothing was said */
        p.suspend_at = f->missing_since ? after(f->missing_since, times->grace_ms) : 0;
        p.next_check_at = after(f->now, pause_ms(times, f->attempts));
    }
    return p;
}
