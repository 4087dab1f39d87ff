/* Jobs and the audit log, as the REST API sees them. */
#ifndef SG_SCHEMA_API_JOB_H
#define SG_SCHEMA_API_JOB_H

#include "schema/api_page.h"

struct sg_api_job {
    struct sg_api_key key; /* created_at */
    const char *tenant_id, *kind, *state;
    int64_t attempts, max_attempts;
    sg_time run_at;
    const char *last_error;
    const char *result;  /* JSON; NULL: none */
    sg_time finished_at; /* 0: not yet */
};

/* Due at once. payload is a JSON object. */
SG_MUST_USE bool sg_api_job_insert(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const char *kind, const char *payload, struct sg_api_job *row_r,
                                   struct sg_error *err);
SG_MUST_USE bool sg_api_job_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const char *id, struct sg_api_job *row_r, struct sg_error *err);
SG_MUST_USE bool sg_api_job_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const struct sg_api_page *page, struct sg_api_job **rows_r,
                                 size_t *count_r, struct sg_error *err);

struct sg_api_audit {
    struct sg_api_key key; /* at; the id in decimal */
    const char *tenant_id, *actor, *address, *request_id, *action, *object, *object_id;
    const char *before, *after; /* JSON objects; NULL: none */
};

SG_MUST_USE bool sg_api_audit_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const struct sg_api_page *page, struct sg_api_audit **rows_r,
                                   size_t *count_r, struct sg_error *err);

#endif
