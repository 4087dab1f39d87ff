/*
 * Migrations: numbered, each in a transaction of its own, recorded with its SHA-256 in
 * sealgate.migration. Run as sg_owner by `tenantd migrate`; several at once wait for each other.
 */
#ifndef SG_SCHEMA_MIGRATE_H
#define SG_SCHEMA_MIGRATE_H

#include "schema/db.h"

/*
 * Brings the schema to this program's state and makes the partitions around now. lock_ms is how
 * long it waits for a table that others use, each of some times. SG_E_SCHEMA: a migration was
 * edited after it had been applied, or the database is newer than the program. SG_E_BUSY: the
 * others did not end; what was applied before stays.
 */
SG_MUST_USE bool sg_migrate(const struct sg_db_options *owner, int64_t lock_ms, sg_time now,
                            int *applied_r, struct sg_error *err);

/* Partitions from last month to the one after next. For tenantd's daily work (sg_tenant). */
SG_MUST_USE bool sg_partitions_ensure(struct sg_db *db, sg_time now, struct sg_error *err);

#endif
