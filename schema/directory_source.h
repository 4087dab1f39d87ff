/* LDAP directories to find certificates and lists in, in the order in which they are asked. */
#ifndef SG_SCHEMA_DIRECTORY_SOURCE_H
#define SG_SCHEMA_DIRECTORY_SOURCE_H

#include "schema/db.h"

struct sg_directory_source_row {
    const char *id, *url, *base_dn, *ca_pem;
    const char *bind_dn, *credential; /* "": anonymous; name of his password's file */
    /* REQ-58; of a list alone */
    const char *filter, *attribute; /* "": the usual */
    struct sg_bytes anchor;         /* DER of the CA that it belongs to; empty: of all */
};

SG_MUST_USE bool sg_directory_source_list(struct sg_db *db, struct sg_arena *arena,
                                          struct sg_directory_source_row **rows_r, size_t *count_r,
                                          struct sg_error *err);

/* The same, with how reading lists from them went. */
struct sg_directory_source_due {
    struct sg_directory_source_row source;
    int failures;     /* in a row */
    sg_time retry_at; /* not before, unless no other answers; 0: any time */
};

SG_MUST_USE bool sg_directory_source_due(struct sg_db *db, struct sg_arena *arena,
                                         struct sg_directory_source_due **rows_r, size_t *count_r,
                                         struct sg_error *err);
/* A source that is gone meanwhile is no error. */
SG_MUST_USE bool sg_directory_source_succeeded(struct sg_tx *tx, const char *id,
                                               struct sg_error *err);
SG_MUST_USE bool sg_directory_source_failed(struct sg_tx *tx, const char *id, const char *words,
                                            sg_time retry_at, struct sg_error *err);

#endif
