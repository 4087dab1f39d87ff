/* Submitters (REQ-136), as the REST API sees them. */
#ifndef SG_SCHEMA_API_SUBMITTER_H
#define SG_SCHEMA_API_SUBMITTER_H

#include "schema/api_page.h"

struct sg_api_submitter {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *kind;
    const char *network, *fingerprint; /* one of them NULL */
    const char *description;
};

/* Of row: key.id, tenant_id and what follows. SG_E_CONFLICT: another has it. */
SG_MUST_USE bool sg_api_submitter_insert(struct sg_tx *tx, struct sg_arena *arena,
                                         const struct sg_api_submitter *row,
                                         struct sg_api_submitter *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_submitter_delete(struct sg_tx *tx, const char *tenant_id, const char *id,
                                         struct sg_error *err);
SG_MUST_USE bool sg_api_submitter_list(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *tenant_id, const struct sg_api_page *page,
                                       struct sg_api_submitter **rows_r, size_t *count_r,
                                       struct sg_error *err);

#endif
