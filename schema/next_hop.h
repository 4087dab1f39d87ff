/* Where a domain's mail is delivered. */
#ifndef SG_SCHEMA_NEXT_HOP_H
#define SG_SCHEMA_NEXT_HOP_H

#include "schema/db.h"

struct sg_next_hop_row {
    const char *protocol; /* "smtp", "lmtp" */
    const char *host;
    int port;
    const char *tls;    /* "none", "opportunistic", "required", "verified" */
    const char *ca_pem; /* "" : the system's roots */
};

SG_MUST_USE bool sg_next_hop_find(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                                  struct sg_next_hop_row *row_r, bool *found_r,
                                  struct sg_error *err);

#endif
