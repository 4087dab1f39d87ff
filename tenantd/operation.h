/* What tenantd tells of itself and of the platform: readiness and figures. */
#ifndef SG_TENANTD_OPERATION_H
#define SG_TENANTD_OPERATION_H

#include "hsmclient/client.h"
#include "jobs/worker.h"
#include "settings.h"

struct operation;

SG_MUST_USE bool operation_start(const struct settings *settings, struct sg_db *db,
                                 struct sg_hsm *hsm, struct operation **operation_r,
                                 struct sg_error *err);
/* No longer ready: jobs in progress end. */
void operation_leave(struct operation *operation);
void operation_stop(struct operation **operation);

#endif
