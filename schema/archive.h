/* Keys of the archive: a quarter's key pair, and data keys wrapped to it. */
#ifndef SG_SCHEMA_ARCHIVE_H
#define SG_SCHEMA_ARCHIVE_H

#include "schema/db.h"

struct sg_archive_key_row {
    const char *id;
    const char *quarter; /* "2026q4" */
    struct sg_bytes spki;
};

/* The newest whose quarter has begun at now; archiving goes on with last quarter's key until
 * tenantd has made the new one. */
SG_MUST_USE bool sg_archive_key_current(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                        struct sg_archive_key_row *row_r, bool *found_r,
                                        struct sg_error *err);

SG_MUST_USE bool sg_archive_key_exists(struct sg_db *db, const char *quarter, bool *exists_r,
                                       struct sg_error *err);
/* kind "token" or "wrapped" (with its blob). *inserted_r false: the quarter has one. */
SG_MUST_USE bool sg_archive_key_insert(struct sg_tx *tx, const struct sg_archive_key_row *row,
                                       const char *kind, struct sg_bytes blob, bool *inserted_r,
                                       struct sg_error *err);

/* REQ-133. Keys of earlier quarters to which nothing is wrapped any more: retired, after which
 * nothing can be. */
SG_MUST_USE bool sg_archive_keys_retire(struct sg_tx *tx, struct sg_arena *arena, int *retired_r,
                                        struct sg_error *err);
struct sg_archive_retired {
    const char *id;
    bool token; /* it is an object on the token; else it is nowhere but in its row */
};
SG_MUST_USE bool sg_archive_keys_retired(struct sg_tx *tx, struct sg_arena *arena,
                                         struct sg_archive_retired **rows_r, size_t *count_r,
                                         struct sg_error *err);
/* A retired one is gone from the HSM: from here too, with its record. */
SG_MUST_USE bool sg_archive_key_destroyed(struct sg_tx *tx, const char *id, struct sg_error *err);

struct sg_archive_data_key {
    const char *id; /* "adk_…" */
    const char *archive_key_id, *node, *tenant_id;
    int64_t day; /* days since 1970 */
    struct sg_bytes wrapped;
    sg_time created_at;
};
SG_MUST_USE bool sg_archive_data_key_insert(struct sg_db *db, const struct sg_archive_data_key *row,
                                            struct sg_error *err);

#endif
