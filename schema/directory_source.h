/* LDAP directories to find certificates in, in the order in which they are asked. */
#ifndef SG_SCHEMA_DIRECTORY_SOURCE_H
#define SG_SCHEMA_DIRECTORY_SOURCE_H

#include "schema/db.h"

struct sg_directory_source_row {
    const char *id, *url, *base_dn, *ca_pem;
};

SG_MUST_USE bool sg_directory_source_list(struct sg_db *db, struct sg_arena *arena,
                                          struct sg_directory_source_row **rows_r, size_t *count_r,
                                          struct sg_error *err);

#endif
