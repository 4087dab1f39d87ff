/* Certificates whose revocation is not checked for a time (REQ-59), as the REST API sees them. */
#ifndef SG_SCHEMA_API_CRL_BYPASS_H
#define SG_SCHEMA_API_CRL_BYPASS_H

#include "schema/api_page.h"

struct sg_api_crl_bypass {
    struct sg_api_key key; /* created_at */
    const char *sha256;    /* of the certificate, in hexadecimal */
    const char *reason;
    const char *actor; /* set by the insert */
    sg_time ends_at;
};

SG_MUST_USE bool sg_api_crl_bypass_insert(struct sg_tx *tx, struct sg_arena *arena,
                                          const struct sg_api_crl_bypass *row,
                                          struct sg_api_crl_bypass *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_crl_bypass_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                        struct sg_api_crl_bypass *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_crl_bypass_list(struct sg_tx *tx, struct sg_arena *arena,
                                        const struct sg_api_page *page,
                                        struct sg_api_crl_bypass **rows_r, size_t *count_r,
                                        struct sg_error *err);
SG_MUST_USE bool sg_api_crl_bypass_delete(struct sg_tx *tx, const char *id, struct sg_error *err);

#endif
