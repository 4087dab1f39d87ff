/* What a tenant's export holds (REQ-156): section by section, a line of JSON (or CSV) for each row.
 */
#ifndef SG_SCHEMA_EXPORT_H
#define SG_SCHEMA_EXPORT_H

#include "schema/db.h"

/* The files of an export, in order; NULL beyond the last. */
const char *sg_export_section(size_t index);
/* The first line of a section that has one ("" otherwise). */
const char *sg_export_heading(size_t index);

struct sg_export_line {
    const char *key, *text; /* text NULL: nothing to say of it */
};
/* The tenant's rows behind after (a key, "" at first); count_r 0: these were all. */
SG_MUST_USE bool sg_export_page(struct sg_db *db, struct sg_arena *arena, size_t section,
                                const char *tenant_id, const char *after,
                                struct sg_export_line **lines_r, size_t *count_r,
                                struct sg_error *err);

SG_MUST_USE bool sg_export_done(struct sg_tx *tx, const char *tenant_id, const char *id,
                                const char *file, int64_t size_bytes, const char *sha256,
                                sg_time expires_at, struct sg_error *err);
SG_MUST_USE bool sg_export_failed(struct sg_tx *tx, const char *tenant_id, const char *id,
                                  const char *words, struct sg_error *err);
/* Those whose time is over are expired; their files are to go. */
SG_MUST_USE bool sg_export_expire(struct sg_tx *tx, struct sg_arena *arena, const char ***files_r,
                                  size_t *count_r, struct sg_error *err);

#endif
