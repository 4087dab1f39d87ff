/* Breaches (REQ-113, 144), as the REST API sees them. tenant_id NULL: of the whole platform. */
#ifndef SG_SCHEMA_API_BREACH_H
#define SG_SCHEMA_API_BREACH_H

#include "schema/api_incident.h"

struct sg_api_breach {
    struct sg_api_key key; /* first_seen */
    const char *tenant_id; /* NULL: of an incident of the platform */
    const char *source;    /* "mail", "incident" */
    const char *month;     /* "2026-11-01" */
    const char *level;     /* "breach", "warning" */
    const char *code, *class, *cause;
    const char *domain, *partner_domain, *direction;
    const char *incident_id; /* NULL: of mail */
    int64_t messages, recipients;
    const char **samples; /* ids of messages */
    size_t sample_count;
    sg_time last_seen;
    const char *state;
    sg_time resolved_at, reopened_at; /* 0: never */
    const char *resolved_by, *resolution;
    struct sg_api_note *notes; /* of a single one alone */
    size_t note_count;
};

/* NULL and 0 filter nothing. */
struct sg_api_breach_filter {
    const char *level, *state, *code, *class, *domain, *partner_domain, *source, *month;
    sg_time since; /* seen then or later */
};

SG_MUST_USE bool sg_api_breach_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const struct sg_api_breach_filter *filter,
                                    const struct sg_api_page *page, struct sg_api_breach **rows_r,
                                    size_t *count_r, struct sg_error *err);
/* With its notes. */
SG_MUST_USE bool sg_api_breach_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                    const char *id, struct sg_api_breach *row_r,
                                    struct sg_error *err);
/* What people do; each leaves a note. SG_E_CONFLICT: it is resolved, or open, already. */
SG_MUST_USE bool sg_api_breach_resolve(struct sg_tx *tx, const char *tenant_id, const char *id,
                                       const char *words, struct sg_error *err);
SG_MUST_USE bool sg_api_breach_reopen(struct sg_tx *tx, const char *tenant_id, const char *id,
                                      const char *words, struct sg_error *err);
SG_MUST_USE bool sg_api_breach_note(struct sg_tx *tx, const char *id, const char *words,
                                    struct sg_error *err);

#endif
