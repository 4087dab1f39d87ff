/*
 * What follows from a look at a domain's challenge. Pure: no clock, no I/O.
 *
 * A claim is looked for with growing pauses until its deadline; then it has failed. A verified
 * domain is looked at on a schedule. When its record is missing its tenant is told, once more when
 * half of the grace is over, and after the grace it is suspended: only by an answer that says the
 * record is missing, never because the DNS said nothing or something bogus. It comes back with its
 * record.
 */
#ifndef SG_DOMAIN_DECIDE_H
#define SG_DOMAIN_DECIDE_H

#include "domain/dns.h"
#include "schema/domain_state.h"

struct sg_ownership_times {
    int64_t deadline_ms;          /* for a challenge to be met */
    int64_t first_ms, longest_ms; /* pauses between looks: the first, doubling up to the longest */
    int64_t recheck_ms;           /* of a domain that is in order */
    int64_t grace_ms;             /* from the first look that misses the record */
};

struct sg_ownership_facts {
    const char *state;
    enum sg_dns_verdict verdict;
    sg_time now, asked_at, missing_since; /* 0: it is not */
    int attempts;                         /* looks without finding it before this one */
    int notices;                          /* since it is missing */
};

enum sg_ownership_notice {
    SG_NOTICE_NONE,
    SG_NOTICE_MISSING,   /* the record is gone, the grace runs */
    SG_NOTICE_REMINDER,  /* half of it is over */
    SG_NOTICE_SUSPENDED, /* all of it */
    SG_NOTICE_RESTORED,  /* suspended, and now back */
};

struct sg_ownership_plan {
    bool change; /* of the domain's state, by event */
    enum sg_domain_event event;
    sg_time deadline_at, next_check_at, missing_since, suspend_at; /* 0: none */
    int attempts, notices;
    enum sg_ownership_notice notice;
};

struct sg_ownership_plan sg_ownership_decide(const struct sg_ownership_facts *facts,
                                             const struct sg_ownership_times *times);

#endif
