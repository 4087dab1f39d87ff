/*
 * What the REST API's aggregates (api_*.h) have in common. Their functions work inside a
 * transaction of the caller (db.h); strings and arrays live in the caller's arena. Under sg_api
 * row-level security stands behind the tenant that each of them is given.
 */
#ifndef SG_SCHEMA_API_PAGE_H
#define SG_SCHEMA_API_PAGE_H

#include "schema/db.h"

/* The first member of every row of a list: what it is sorted by. */
struct sg_api_key {
    const char *id;
    sg_time at;
};

/* Rows behind after (id NULL: from the start), limit of them and one more where there is one. */
struct sg_api_page {
    struct sg_api_key after;
    int limit;
};

#endif
