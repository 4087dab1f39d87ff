/*
 * The lists of member domains that directories publish (REQ-55, 108, 190): as they are in force
 * (member_domain, source "directory"), as they were read last, and their changes.
 */
#ifndef SG_SCHEMA_MEMBER_LIST_H
#define SG_SCHEMA_MEMBER_LIST_H

#include "schema/db.h"

struct sg_member_list {
    const char *id, *name; /* "SEEMAIL2" */
    const char *environment;
    const char *version; /* in force */
    int members;         /* in force */
};

SG_MUST_USE bool sg_member_list_all(struct sg_db *db, struct sg_arena *arena,
                                    struct sg_member_list **lists_r, size_t *count_r,
                                    struct sg_error *err);
/* The list as it is now, which nobody else changes until the transaction ends. */
SG_MUST_USE bool sg_member_list_lock(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                     struct sg_member_list *list_r, struct sg_error *err);

/* What stood in a directory. names are lower case, sorted and each there once. */
struct sg_member_reading {
    const char *version, *source_url;
    const char *digest; /* of the names */
    const char *const *names;
    size_t count;
    int skipped; /* malformed members */
};

struct sg_member_diff {
    const char **added, **removed;
    size_t added_count, removed_count;
};

/* What the reading would change. */
SG_MUST_USE bool sg_member_list_diff(struct sg_tx *tx, struct sg_arena *arena,
                                     const struct sg_member_list *list,
                                     const struct sg_member_reading *reading,
                                     struct sg_member_diff *diff_r, struct sg_error *err);
/* Changes what is in force: one statement each way, so that gatewayd is told once. */
SG_MUST_USE bool sg_member_list_change(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_member_list *list, const char *version,
                                       const struct sg_member_diff *diff, struct sg_error *err);
/* Another version of the same members. */
SG_MUST_USE bool sg_member_list_version(struct sg_tx *tx, const char *id, const char *version,
                                        struct sg_error *err);

/* Notes how reading went, and when all lists are read next. */
SG_MUST_USE bool sg_member_list_read(struct sg_tx *tx, const char *id,
                                     const struct sg_member_reading *reading, struct sg_error *err);
SG_MUST_USE bool sg_member_list_failed(struct sg_tx *tx, const char *id, const char *words,
                                       struct sg_error *err);
SG_MUST_USE bool sg_member_list_next(struct sg_tx *tx, sg_time at, struct sg_error *err);

/* Changes -------------------------------------------------------------------------------------- */

struct sg_list_change {
    const struct sg_member_list *list;
    const struct sg_member_reading *reading;
    const struct sg_member_diff *diff;
    const char *state;  /* "applied" or "pending" */
    const char *reason; /* why it waits: "shrunk", "emptied", "older", "approval"; else "" */
};

/* The newest change of a list; state_r NULL: it had none. */
SG_MUST_USE bool sg_list_change_standing(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *list_id, const char **state_r,
                                         const char **digest_r, struct sg_error *err);
/* One that waits is not asked about any more. */
SG_MUST_USE bool sg_list_change_supersede(struct sg_tx *tx, const char *list_id, bool *any_r,
                                          struct sg_error *err);
/* Writes the account of a change, with its items; does not change the list itself. */
SG_MUST_USE bool sg_list_change_insert(struct sg_tx *tx, struct sg_arena *arena,
                                       const struct sg_list_change *change, const char **id_r,
                                       struct sg_error *err);
/*
 * Somebody decides about one that waits: approved, its items come into force. list_r: which list
 * it was. SG_E_NOT_FOUND; SG_E_CONFLICT: it does not wait any more.
 */
SG_MUST_USE bool sg_list_change_decide(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                       bool approved, const char *actor,
                                       struct sg_member_list *list_r, struct sg_error *err);

#endif
