/* Reports, their signatures, and attestations, as the REST API sees them. */
#ifndef SG_SCHEMA_API_REPORT_H
#define SG_SCHEMA_API_REPORT_H

#include "schema/api_page.h"

struct sg_api_report {
    struct sg_api_key key; /* made_at */
    const char *tenant_id; /* NULL: the platform's */
    const char *kind, *period;
    int64_t revision;
    const char *state;
    bool complete;
    struct sg_bytes sha256;
    const char *made_by;
    int64_t signature_count;
    /* Of a single one alone; JSON text. */
    const char *data, *watermark, *differs, *signatures, *deliveries;
};

/* Of a list; NULL filters nothing. */
struct sg_api_report_filter {
    const char *kind, *period, *state;
    const char *subject; /* "platform", "tenants" */
};

/* tenant_id NULL: every tenant's and the platform's. Newest first. */
SG_MUST_USE bool sg_api_report_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const struct sg_api_report_filter *filter,
                                    const struct sg_api_page *page, struct sg_api_report **rows_r,
                                    size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_api_report_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *id, struct sg_api_report *row_r,
                                    struct sg_error *err);

struct sg_api_signature {
    const char *report_id, *tenant_id;
    struct sg_bytes sha256; /* of what is signed */
    const char *name, *title, *words;
    const char *actor;
};
/* SG_E_CONFLICT: what is signed is not what the report says, or is no longer the current one. */
SG_MUST_USE bool sg_api_report_sign(struct sg_tx *tx, const struct sg_api_signature *signature,
                                    struct sg_error *err);

/* Deliveries that failed are to be tried again. */
SG_MUST_USE bool sg_api_report_requeue(struct sg_tx *tx, const char *tenant_id,
                                       const char *report_id, struct sg_error *err);

#define SG_REPORT_RECIPIENTS_MAX 100 /* of a tenant, or of the provider */
struct sg_api_report_recipient {
    struct sg_api_key key; /* created_at */
    const char *tenant_id; /* NULL: the provider's own */
    const char *kind, *address;
};
/* SG_E_CONFLICT: there already; SG_E_LIMIT. */
SG_MUST_USE bool sg_api_report_recipient_insert(struct sg_tx *tx, struct sg_arena *arena,
                                                const struct sg_api_report_recipient *recipient,
                                                struct sg_api_report_recipient *row_r,
                                                struct sg_error *err);
/* tenant_id NULL here and below: the provider's own. */
SG_MUST_USE bool sg_api_report_recipient_list(struct sg_tx *tx, struct sg_arena *arena,
                                              const char *tenant_id, const struct sg_api_page *page,
                                              struct sg_api_report_recipient **rows_r,
                                              size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_api_report_recipient_delete(struct sg_tx *tx, const char *tenant_id,
                                                const char *id, struct sg_error *err);

struct sg_api_attestation {
    struct sg_api_key key; /* created_at */
    int64_t requirement;
    const char *words, *name, *title;
    sg_time valid_until;
    const char *created_by;
    sg_time revoked_at; /* 0: not */
};
SG_MUST_USE bool sg_api_attestation_insert(struct sg_tx *tx, struct sg_arena *arena,
                                           const struct sg_api_attestation *attestation,
                                           struct sg_api_attestation *row_r, struct sg_error *err);
/* requirement 0: of all. */
SG_MUST_USE bool sg_api_attestation_list(struct sg_tx *tx, struct sg_arena *arena,
                                         int64_t requirement, const struct sg_api_page *page,
                                         struct sg_api_attestation **rows_r, size_t *count_r,
                                         struct sg_error *err);
SG_MUST_USE bool sg_api_attestation_revoke(struct sg_tx *tx, const char *id, struct sg_error *err);

#endif
