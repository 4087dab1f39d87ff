/* API clients: programs that use the API by tokens and TLS client certificates of their own. */
#ifndef SG_SCHEMA_API_CLIENT_H
#define SG_SCHEMA_API_CLIENT_H

#include "schema/api_page.h"

struct sg_api_client {
    struct sg_api_key key; /* created_at */
    const char *tenant_id; /* NULL: the platform's */
    const char *name, *role;
    const char *scope; /* NULL: all of the role's */
    const char *state; /* "active", "disabled" */
    sg_time updated_at;
};
/* Of client: id (key.id), tenant_id, name, role, scope. */
SG_MUST_USE bool sg_api_client_insert(struct sg_tx *tx, struct sg_arena *arena,
                                      const struct sg_api_client *client,
                                      struct sg_api_client *row_r, struct sg_error *err);
/* lock: until the end of the transaction nobody else changes it or its number of tokens. */
SG_MUST_USE bool sg_api_client_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                    bool lock, struct sg_api_client *row_r, struct sg_error *err);
/* name, state: NULL leaves it. */
SG_MUST_USE bool sg_api_client_change(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      const char *name, const char *state,
                                      struct sg_api_client *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_client_list(struct sg_tx *tx, struct sg_arena *arena,
                                    const struct sg_api_page *page, struct sg_api_client **rows_r,
                                    size_t *count_r, struct sg_error *err);

struct sg_api_client_certificate {
    struct sg_api_key key; /* created_at */
    const char *client_id, *fingerprint, *description;
};
/* SG_E_CONFLICT: the certificate is some client's already. */
SG_MUST_USE bool sg_api_client_certificate_insert(struct sg_tx *tx, struct sg_arena *arena,
                                                  const struct sg_api_client *client,
                                                  const struct sg_api_client_certificate *item,
                                                  struct sg_api_client_certificate *row_r,
                                                  struct sg_error *err);
SG_MUST_USE bool sg_api_client_certificate_list(struct sg_tx *tx, struct sg_arena *arena,
                                                const char *client_id,
                                                const struct sg_api_page *page,
                                                struct sg_api_client_certificate **rows_r,
                                                size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_api_client_certificate_delete(struct sg_tx *tx, const char *client_id,
                                                  const char *id, struct sg_error *err);

/* Whose certificate it is, through the view auth_certificate, as sg_auth. */
struct sg_api_certificate_auth {
    const char *client_id, *tenant_id, *role, *name, *scope, *client_state;
    const char *tenant_state; /* NULL: the platform's */
};
/* fingerprint: 64 hexadecimal digits. SG_E_NOT_FOUND: nobody's. */
SG_MUST_USE bool sg_api_certificate_auth(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *fingerprint,
                                         struct sg_api_certificate_auth *row_r,
                                         struct sg_error *err);

#endif
