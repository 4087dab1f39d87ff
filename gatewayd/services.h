/* Everything that gatewayd runs, started and stopped in order. */
#ifndef SG_GATEWAYD_SERVICES_H
#define SG_GATEWAYD_SERVICES_H

#include "settings.h"

struct services;

SG_MUST_USE bool services_start(const struct settings *settings, struct services **services_r,
                                struct sg_error *err);
/* Of the processes that were started too. */
void services_log_level(struct services *services, int level);
/* Messages in flight are finished, the journal is fed as far as it goes. */
void services_stop(struct services **services);

#endif
