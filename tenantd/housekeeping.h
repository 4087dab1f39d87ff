/* What tenantd does by the clock: partitions ahead of time, the quarter's archive key. */
#ifndef SG_TENANTD_HOUSEKEEPING_H
#define SG_TENANTD_HOUSEKEEPING_H

#include "schema/db.h"

struct housekeeping;

/* At once, and then every hour; after a failure again within seconds. */
SG_MUST_USE bool housekeeping_start(struct sg_db *db, struct housekeeping **keeping_r,
                                    struct sg_error *err);
/* Does it now: the database is back. */
void housekeeping_wake(struct housekeeping *keeping);
void housekeeping_stop(struct housekeeping **keeping);

#endif
