/*
 * What tenantd watches all the time, in threads of its own: the codes that gatewayd writes, which
 * become breaches within a second or two (REQ-113).
 */
#ifndef SG_WATCH_WATCH_H
#define SG_WATCH_WATCH_H

#include "schema/db.h"

struct sg_watch;

SG_MUST_USE bool sg_watch_start(struct sg_db *db, struct sg_watch **watch_r, struct sg_error *err);
/* There are new codes: a notification on sealgate_code, or the database is back. */
void sg_watch_codes(struct sg_watch *watch);
void sg_watch_stop(struct sg_watch **watch);

#endif
