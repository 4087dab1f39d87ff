/* The lists of members and their changes, as the REST API sees them. */
#ifndef SG_SCHEMA_API_LIST_H
#define SG_SCHEMA_API_LIST_H

#include "schema/api_page.h"

struct sg_api_list {
    const char *id, *name, *environment;
    const char *version; /* in force */
    int64_t members;
    sg_time changed_at;
    sg_time read_at; /* as it was read last; 0: never */
    const char *read_version;
    int64_t read_members, skipped;
    const char *source_url;
    sg_time failed_at;
    const char *last_error; /* "": the last reading succeeded */
    sg_time next_at;
    const char *pending_change_id; /* NULL: none waits */
};

/* id NULL: all of them. */
SG_MUST_USE bool sg_api_list_all(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                 struct sg_api_list **rows_r, size_t *count_r,
                                 struct sg_error *err);

struct sg_api_list_change {
    struct sg_api_key key; /* created_at */
    const char *list_id, *list_name;
    const char *state, *reason, *version, *source_url;
    int64_t members_before, members_after, added, removed;
    sg_time decided_at; /* 0: not yet */
    const char *decided_by;
};

/* NULL: any. */
struct sg_api_list_change_filter {
    const char *list_id, *state;
};

SG_MUST_USE bool sg_api_list_change_list(struct sg_tx *tx, struct sg_arena *arena,
                                         const struct sg_api_list_change_filter *filter,
                                         const struct sg_api_page *page,
                                         struct sg_api_list_change **rows_r, size_t *count_r,
                                         struct sg_error *err);
struct sg_api_list_items {
    const char **added, **removed;
    size_t added_count, removed_count;
};

SG_MUST_USE bool sg_api_list_change_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                         struct sg_api_list_change *row_r,
                                         struct sg_api_list_items *items_r, struct sg_error *err);

#endif
