/*
 * Breaches out of the codes that recipients of mail got (REQ-113, 144). gatewayd's feed writes each
 * code beside its recipient (message.h), where it waits for no other row; here they are counted
 * into one row for tenant, domain, code, partner and month, so that a storm is one entry.
 */
#ifndef SG_SCHEMA_BREACH_H
#define SG_SCHEMA_BREACH_H

#include "schema/db.h"

/*
 * Counts what is not counted yet, at most batch codes; *taken_r is how many (0 also while another
 * process counts). What a feed commits late is counted late, never skipped: codes are taken by
 * their own mark, not by a position.
 */
SG_MUST_USE bool sg_breach_fold(struct sg_db *db, int batch, int64_t *taken_r,
                                struct sg_error *err);

#endif
