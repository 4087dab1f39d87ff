/* Documents that the provider publishes, and their acknowledgements by tenants (REQ-142, 155, 157,
 * 185 to 188). */
#ifndef SG_SCHEMA_API_DOCUMENT_H
#define SG_SCHEMA_API_DOCUMENT_H

#include "schema/api_page.h"

struct sg_api_document {
    struct sg_api_key key; /* created_at */
    const char *kind, *title, *version, *url;
    const char *sha256; /* of the text, or of what stands at the URL; hexadecimal */
    bool required;
    sg_time valid_from, withdrawn_at; /* 0: in force */
    const char *acknowledgement_id;   /* "": none; for a tenant alone */
    const char *text;                 /* not in lists */
    sg_time acknowledged_at;
    const char *acknowledged_role; /* NULL: none */
};

SG_MUST_USE bool sg_api_document_insert(struct sg_tx *tx, struct sg_arena *arena,
                                        const struct sg_api_document *row,
                                        struct sg_api_document *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_document_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                      struct sg_api_document *row_r, struct sg_error *err);
/* SG_E_CONFLICT: it was withdrawn before. */
SG_MUST_USE bool sg_api_document_withdraw(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                          struct sg_api_document *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_document_list(struct sg_tx *tx, struct sg_arena *arena,
                                      const struct sg_api_page *page,
                                      struct sg_api_document **rows_r, size_t *count_r,
                                      struct sg_error *err);
/* Those in force, with the tenant's acknowledgement; outstanding: the required ones without. */
SG_MUST_USE bool sg_api_document_list_tenant(struct sg_tx *tx, struct sg_arena *arena,
                                             const char *tenant_id, bool outstanding,
                                             const struct sg_api_page *page,
                                             struct sg_api_document **rows_r, size_t *count_r,
                                             struct sg_error *err);

struct sg_api_acknowledgement {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *document_id, *kind, *title, *version, *sha256;
    const char *role; /* in which function it was given */
};
/*
 * Acknowledges a document in force, and makes a pending tenant active with the last required one.
 * SG_E_NOT_FOUND: no such document in force, or its hash is another. SG_E_CONFLICT: it is
 * acknowledged already.
 */
SG_MUST_USE bool sg_api_acknowledge(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *document_id, const char *sha256, const char *role,
                                    struct sg_api_acknowledgement *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_acknowledgement_list(struct sg_tx *tx, struct sg_arena *arena,
                                             const char *tenant_id, const struct sg_api_page *page,
                                             struct sg_api_acknowledgement **rows_r,
                                             size_t *count_r, struct sg_error *err);

#endif
