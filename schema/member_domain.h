/* Which domains belong to the environments: the lists, and the domains hosted here. */
#ifndef SG_SCHEMA_MEMBER_DOMAIN_H
#define SG_SCHEMA_MEMBER_DOMAIN_H

#include "schema/db.h"

/*
 * name in lower case. environment_r: "seemail" or "securemail"; a domain in both is "seemail". A
 * domain hosted here (attested or verified) has its own environment, whatever the lists say.
 */
SG_MUST_USE bool sg_member_domain_find(struct sg_db *db, struct sg_arena *arena, const char *name,
                                       const char **environment_r, bool *found_r,
                                       struct sg_error *err);

/* On which lists a domain stands: those of the directories and what was set by hand. */
struct sg_member_lists {
    bool seemail, securemail;
    bool workspace;                     /* trusted list servers (REQ-108) */
    bool seemail_test, securemail_test; /* may run the tests of SMARTS */
};

SG_MUST_USE bool sg_member_domain_lists(struct sg_db *db, struct sg_arena *arena, const char *name,
                                        struct sg_member_lists *lists_r, struct sg_error *err);

/* The domains on SEEMail's list in alphabetical order, limit of them at most (REQ-99). */
SG_MUST_USE bool sg_member_domain_agencies(struct sg_db *db, struct sg_arena *arena, int64_t limit,
                                           const char ***names_r, size_t *count_r,
                                           struct sg_error *err);

#endif
