/* Held mail (REQ-56), as the REST API sees it: never its content. */
#ifndef SG_SCHEMA_API_HELD_H
#define SG_SCHEMA_API_HELD_H

#include "schema/api_page.h"

struct sg_api_held {
    struct sg_api_key key; /* held_at */
    const char *msg_id, *tenant_id, *domain_id, *direction, *state, *reason, *explanation, *sender;
    const char **recipients;
    size_t recipient_count;
    const char *recipient_domain, *queue_id;
    int64_t size_bytes;
    sg_time received_at, next_try_at, expires_at;
    int64_t attempts;
    const char *last_error;
    sg_time finished_at; /* 0: not yet */
    bool quarantined;    /* it waits, or waited, for an administrator (REQ-110) */
    sg_time approved_at; /* 0: nobody has released it */
};

SG_MUST_USE bool sg_api_held_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                  const char *id, struct sg_api_held *row_r, struct sg_error *err);
/* Filters are equality; NULL: any. */
struct sg_api_held_filter {
    const char *state, *domain_id, *recipient_domain, *sender, *reason;
    const char *waiting_for; /* "administrator", "next_try" */
};
SG_MUST_USE bool sg_api_held_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                  const struct sg_api_held_filter *filter,
                                  const struct sg_api_page *page, struct sg_api_held **rows_r,
                                  size_t *count_r, struct sg_error *err);
/* Makes it due now; out of quarantine too. SG_E_CONFLICT: it is not held any more. */
SG_MUST_USE bool sg_api_held_release(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const char *id,
                                     struct sg_api_held *row_r, struct sg_error *err);
/* Its content and key go. SG_E_CONFLICT: it is not held any more. */
SG_MUST_USE bool sg_api_held_delete(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *id, struct sg_error *err);

#endif
