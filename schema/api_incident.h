/* Incidents, as the REST API sees them. tenant_id NULL: every tenant's and the platform's own. */
#ifndef SG_SCHEMA_API_INCIDENT_H
#define SG_SCHEMA_API_INCIDENT_H

#include "schema/api_page.h"

struct sg_api_note {
    struct sg_api_key key; /* at */
    const char *actor, *action, *words;
};

struct sg_api_incident {
    struct sg_api_key key;             /* first_seen */
    const char *tenant_id, *domain_id; /* NULL: none */
    const char *kind, *severity, *state, *summary;
    const char *detail; /* a JSON object */
    int64_t occurrences;
    sg_time last_seen;
    sg_time acknowledged_at, resolved_at; /* 0: not */
    const char *acknowledged_by, *resolved_by, *resolution;
    struct sg_api_note *notes; /* of a single one alone */
    size_t note_count;
};

/* NULL and 0 filter nothing. */
struct sg_api_incident_filter {
    const char *state, *kind, *severity, *domain_id;
    sg_time since; /* seen then or later */
};

SG_MUST_USE bool
sg_api_incident_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                     const struct sg_api_incident_filter *filter, const struct sg_api_page *page,
                     struct sg_api_incident **rows_r, size_t *count_r, struct sg_error *err);
/* With its notes. */
SG_MUST_USE bool sg_api_incident_find(struct sg_tx *tx, struct sg_arena *arena,
                                      const char *tenant_id, const char *id,
                                      struct sg_api_incident *row_r, struct sg_error *err);

/* What people do; each leaves a note. SG_E_CONFLICT: it is acknowledged or resolved already. */
SG_MUST_USE bool sg_api_incident_acknowledge(struct sg_tx *tx, const char *tenant_id,
                                             const char *id, const char *words,
                                             struct sg_error *err);
SG_MUST_USE bool sg_api_incident_resolve(struct sg_tx *tx, const char *tenant_id, const char *id,
                                         const char *words, struct sg_error *err);
SG_MUST_USE bool sg_api_incident_note(struct sg_tx *tx, const char *id, const char *words,
                                      struct sg_error *err);

#endif
