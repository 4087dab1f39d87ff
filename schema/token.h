/* Bearer tokens of the API: only the SHA-256 of one is stored. */
#ifndef SG_SCHEMA_TOKEN_H
#define SG_SCHEMA_TOKEN_H

#include "schema/db.h"

struct sg_token_new {
    const char *id;        /* "tok_…" */
    const char *tenant_id; /* NULL: the provider's */
    const char *role;      /* of schema/access.h */
    const char *name;
    const char *scope;    /* "domains:read held:write"; NULL: all of the role's */
    struct sg_bytes hash; /* 32 bytes */
    sg_time expires_at;
    const char *client_id; /* NULL: of no client */
    bool bound;            /* good only with a certificate of that client */
};
SG_MUST_USE bool sg_token_insert(struct sg_tx *tx, const struct sg_token_new *token,
                                 struct sg_error *err);

#endif
