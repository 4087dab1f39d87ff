/* Notices (REQ-57, 94), as the REST API sees them: never the header fields that they carry. */
#ifndef SG_SCHEMA_API_NOTICE_H
#define SG_SCHEMA_API_NOTICE_H

#include "schema/api_page.h"

struct sg_api_notice {
    struct sg_api_key key; /* created_at */
    const char *msg_id;    /* NULL: of a summary */
    const char *tenant_id, *domain_id, *kind, *state, *recipient, *codes, *partner;
    const char **concerning; /* at most 20 */
    size_t concerning_count;
    int64_t stands_for;
    const char *summary_id; /* NULL: not folded */
    int64_t attempts;
    const char *last_error;
    sg_time next_try_at, finished_at; /* finished_at 0: not yet */
};

SG_MUST_USE bool sg_api_notice_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *id, struct sg_api_notice *row_r,
                                    struct sg_error *err);
/* Filters are equality; NULL: any. */
struct sg_api_notice_filter {
    const char *state, *kind, *recipient, *msg_id, *summary_id;
};
SG_MUST_USE bool sg_api_notice_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const struct sg_api_notice_filter *filter,
                                    const struct sg_api_page *page, struct sg_api_notice **rows_r,
                                    size_t *count_r, struct sg_error *err);

#endif
