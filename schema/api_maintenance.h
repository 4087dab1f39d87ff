/* Maintenance that was announced, as the REST API sees it: it does not count as an outage
 * (REQ-142). */
#ifndef SG_SCHEMA_API_MAINTENANCE_H
#define SG_SCHEMA_API_MAINTENANCE_H

#include "schema/api_page.h"

struct sg_api_maintenance {
    struct sg_api_key key; /* created_at */
    sg_time begins_at, ends_at;
    const char *words, *created_by;
};

SG_MUST_USE bool sg_api_maintenance_insert(struct sg_tx *tx, struct sg_arena *arena,
                                           const struct sg_api_maintenance *window,
                                           struct sg_api_maintenance *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_maintenance_list(struct sg_tx *tx, struct sg_arena *arena,
                                         const struct sg_api_page *page,
                                         struct sg_api_maintenance **rows_r, size_t *count_r,
                                         struct sg_error *err);
/* SG_E_NOT_FOUND also where it has begun: what happened stays. */
SG_MUST_USE bool sg_api_maintenance_delete(struct sg_tx *tx, const char *id, struct sg_error *err);

#endif
