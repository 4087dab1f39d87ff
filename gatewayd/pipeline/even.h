/*
 * Invariant 4, in time: of a message that was sealed to us and did not pass, nobody learns from the
 * time until the reply what was wrong with it. All such replies come at the same time after the end
 * of the data (a floor that is well above what the work takes, and grows with the message), for the
 * work is not the same: what fits so far is looked at further.
 */
#ifndef SG_PIPELINE_EVEN_H
#define SG_PIPELINE_EVEN_H

#include "pipeline/inbound.h"

/* Nanoseconds of a clock that is never set. */
int64_t sg_even_now(void);
/* Notes in the message whether its reply must wait. */
void sg_even_note(struct sg_message *m, const struct sg_inbound_judgement *j);
/* Waits, if it must, until the floor, and need not again for what was noted so far. Where the floor
 * has passed it does not wait, which is counted. */
void sg_even_wait(struct sg_message *m);

#endif
