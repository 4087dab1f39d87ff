/*
 * The CPU time that a thread may spend on something that a stranger has made: a message whose size
 * and structure are within all limits may yet be dear. What goes beyond it is SG_E_LIMIT, as what
 * is too large is: the same at the next try.
 */
#ifndef SG_COMMON_BUDGET_H
#define SG_COMMON_BUDGET_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct sg_budget {
    int64_t cpu_ms;
    int64_t end_ns; /* of the thread's CPU time */
    size_t unseen;  /* octets since the clock was looked at */
    bool spent;     /* and stays so */
};

/* On the thread that goes on to spend it. */
void sg_budget_begin(struct sg_budget *budget, int64_t cpu_ms);
/* Is there some left? Looks at the clock: before a step that may be dear. NULL: always. */
bool sg_budget_left(struct sg_budget *budget);
/* The same for so many octets of work that is cheap each: looks at the clock now and then. */
bool sg_budget_octets(struct sg_budget *budget, size_t octets);
/* What another process has spent for it. */
void sg_budget_charge(struct sg_budget *budget, int64_t cpu_us);
/* sg_budget_left(); false with SG_E_LIMIT. */
SG_MUST_USE bool sg_budget_check(struct sg_budget *budget, struct sg_error *err);

#endif
