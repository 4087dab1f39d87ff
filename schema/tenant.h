/* The end of a tenant (REQ-142). */
#ifndef SG_SCHEMA_TENANT_H
#define SG_SCHEMA_TENANT_H

#include "schema/db.h"

/*
 * Closes a cancelled tenant whose time is over: its certificates are revoked (with a job for each,
 * as the API's revocation makes it), its domains too, its submitters and tokens go. Its keys stay
 * (REQ-189), and so does what the retention of messages keeps. closed_r false: it is not cancelled
 * any more, its time is not over, or it is closed.
 */
SG_MUST_USE bool sg_tenant_close(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                 bool *closed_r, struct sg_error *err);
/* A job tenant.close for each whose time is over. */
SG_MUST_USE bool sg_tenant_close_due(struct sg_tx *tx, struct sg_arena *arena, size_t *count_r,
                                     struct sg_error *err);

#endif
