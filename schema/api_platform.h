/* What is the whole platform's, as the REST API sees it: roots, directories, member domains. */
#ifndef SG_SCHEMA_API_PLATFORM_H
#define SG_SCHEMA_API_PLATFORM_H

#include "schema/api_page.h"

struct sg_api_anchor {
    struct sg_api_key key; /* created_at */
    struct sg_bytes der, sha256;
    const char *subject;
    sg_time not_after;
};

/* SG_E_CONFLICT: it is there already. */
SG_MUST_USE bool sg_api_anchor_insert(struct sg_tx *tx, struct sg_arena *arena,
                                      const struct sg_api_anchor *row, struct sg_api_anchor *row_r,
                                      struct sg_error *err);
SG_MUST_USE bool sg_api_anchor_delete(struct sg_tx *tx, const char *id, struct sg_error *err);
SG_MUST_USE bool sg_api_anchor_list(struct sg_tx *tx, struct sg_arena *arena,
                                    const struct sg_api_page *page, struct sg_api_anchor **rows_r,
                                    size_t *count_r, struct sg_error *err);

struct sg_api_directory {
    struct sg_api_key key; /* created_at */
    const char *url, *base_dn, *ca_pem;
    int64_t position;
    const char *anchor_id;            /* REQ-58: of this trust anchor alone; NULL: of all */
    const char *filter, *attribute;   /* "": the usual */
    const char *bind_dn, *credential; /* "": anonymous; name of his password's file */
    /* How reading lists from it went. */
    sg_time succeeded_at, failed_at, retry_at; /* 0: never; at any time */
    const char *last_error;                    /* "": the last time went well */
    int64_t failures;                          /* in a row */
};

SG_MUST_USE bool sg_api_directory_insert(struct sg_tx *tx, struct sg_arena *arena,
                                         const struct sg_api_directory *row,
                                         struct sg_api_directory *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_directory_delete(struct sg_tx *tx, const char *id, struct sg_error *err);
SG_MUST_USE bool sg_api_directory_list(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_api_page *page,
                                       struct sg_api_directory **rows_r, size_t *count_r,
                                       struct sg_error *err);

struct sg_api_member {
    struct sg_api_key key; /* created_at */
    const char *name, *environment;
    const char *source; /* "manual", "directory" */
};

/* NULL: any. */
struct sg_api_member_filter {
    const char *name, *environment, *source;
};

SG_MUST_USE bool sg_api_member_insert(struct sg_tx *tx, struct sg_arena *arena,
                                      const struct sg_api_member *row, struct sg_api_member *row_r,
                                      struct sg_error *err);
SG_MUST_USE bool sg_api_member_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                    struct sg_api_member *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_member_delete(struct sg_tx *tx, const char *id, struct sg_error *err);
SG_MUST_USE bool sg_api_member_list(struct sg_tx *tx, struct sg_arena *arena,
                                    const struct sg_api_member_filter *filter,
                                    const struct sg_api_page *page, struct sg_api_member **rows_r,
                                    size_t *count_r, struct sg_error *err);

#endif
