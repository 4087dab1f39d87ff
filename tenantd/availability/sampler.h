/*
 * REQ-142: looks at every part of the way of a mail once a minute, and writes what it found
 * (schema/availability.h). Any number of tenantd may: what one of them found well in a minute is.
 * The availability report is made of these rows; a minute without any counts as down.
 */
#ifndef SG_AVAILABILITY_SAMPLER_H
#define SG_AVAILABILITY_SAMPLER_H

#include "schema/db.h"

struct sg_sampler;

/* probes: see probe.h; "" looks at nothing. They are looked at one after the other. */
SG_MUST_USE bool sg_sampler_start(struct sg_db *db, const char *probes, int64_t timeout_ms,
                                  struct sg_sampler **sampler_r, struct sg_error *err);
void sg_sampler_stop(struct sg_sampler **sampler);

#endif
