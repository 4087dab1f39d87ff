/* What gatewayd tells of itself: readiness and figures. */
#ifndef SG_GATEWAYD_OPERATION_H
#define SG_GATEWAYD_OPERATION_H

#include "pipeline/gateway.h"
#include "settings.h"

struct operation;

SG_MUST_USE bool operation_start(const struct settings *settings, struct sg_gateway *gw,
                                 struct operation **operation_r, struct sg_error *err);
/* No longer ready: messages in flight are finished. */
void operation_leave(struct operation *operation);
void operation_stop(struct operation **operation);

#endif
