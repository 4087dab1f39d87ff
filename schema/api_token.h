/* Access tokens, as the REST API sees them; token.h makes them. */
#ifndef SG_SCHEMA_API_TOKEN_H
#define SG_SCHEMA_API_TOKEN_H

#include "schema/api_page.h"

struct sg_api_token {
    struct sg_api_key key; /* created_at */
    const char *tenant_id; /* NULL: the provider's */
    const char *role, *name;
    const char *scope;                            /* NULL: all of the role's */
    sg_time expires_at, revoked_at, last_used_at; /* 0: not revoked, not used */
    const char *client_id;                        /* NULL: of no client */
    bool bound;                                   /* to the client's certificates */
};

/* Through the view auth_token, as sg_auth. */
struct sg_api_token_auth {
    const char *id, *tenant_id, *role, *name;
    sg_time expires_at, revoked_at;
    const char *tenant_state; /* NULL: the provider's */
    const char *scope;        /* NULL: all of the role's */
    sg_time last_used_at;
    const char *client_id, *client_state; /* NULL: of no client */
    bool bound;
};

/* hash: the 32 bytes. SG_E_NOT_FOUND: there is none. */
SG_MUST_USE bool sg_api_token_auth(struct sg_tx *tx, struct sg_arena *arena, struct sg_bytes hash,
                                   struct sg_api_token_auth *row_r, struct sg_error *err);
/* Notes, as sg_auth, that it is used now; a step of a minute. */
SG_MUST_USE bool sg_api_token_used(struct sg_tx *tx, const char *id, struct sg_error *err);
SG_MUST_USE bool sg_api_token_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                   struct sg_api_token *row_r, struct sg_error *err);
/* Once revoked it stays so from the first time. client_id NULL: whosever it is. */
SG_MUST_USE bool sg_api_token_revoke(struct sg_tx *tx, const char *client_id, const char *id,
                                     struct sg_error *err);
/* client_id NULL: all. */
SG_MUST_USE bool sg_api_token_list(struct sg_tx *tx, struct sg_arena *arena, const char *client_id,
                                   const struct sg_api_page *page, struct sg_api_token **rows_r,
                                   size_t *count_r, struct sg_error *err);
/* How many of a client's tokens are neither revoked nor expired. */
SG_MUST_USE bool sg_api_token_valid_count(struct sg_tx *tx, const char *client_id, int64_t *count_r,
                                          struct sg_error *err);

#endif
