/* Contacts of the provider and of tenants (REQ-143): roles and desks, no persons. tenant_id NULL is
 * the provider's own. */
#ifndef SG_SCHEMA_API_CONTACT_H
#define SG_SCHEMA_API_CONTACT_H

#include "schema/api_page.h"

struct sg_api_contact {
    struct sg_api_key key; /* created_at */
    const char *tenant_id; /* NULL: the provider's */
    const char *role, *organisation, *mailbox;
    bool role_mailbox; /* it was stated that the mailbox is a role's */
    const char *phone;
    int64_t review_days; /* it is stale so long after reviewed_at */
    sg_time reviewed_at, updated_at;
};

/* key.id and tenant_id are read too; the times are set. */
SG_MUST_USE bool sg_api_contact_insert(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_api_contact *row,
                                       struct sg_api_contact *row_r, struct sg_error *err);
/* Replaces it, which is a review too. */
SG_MUST_USE bool sg_api_contact_set(struct sg_tx *tx, struct sg_arena *arena,
                                    const struct sg_api_contact *row, struct sg_api_contact *row_r,
                                    struct sg_error *err);
/* It was looked at and is right. */
SG_MUST_USE bool sg_api_contact_review(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *tenant_id, const char *id,
                                       struct sg_api_contact *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_contact_find(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const char *id,
                                     struct sg_api_contact *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_contact_delete(struct sg_tx *tx, const char *tenant_id, const char *id,
                                       struct sg_error *err);
/* role NULL: any; stale: those alone whose review is overdue. */
SG_MUST_USE bool sg_api_contact_list(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const char *role, bool stale,
                                     const struct sg_api_page *page, struct sg_api_contact **rows_r,
                                     size_t *count_r, struct sg_error *err);

#endif
