/* Jobs and the audit log, as the REST API sees them. */
#ifndef SG_SCHEMA_API_JOB_H
#define SG_SCHEMA_API_JOB_H

#include "schema/api_page.h"
#include "schema/job.h"

struct sg_api_job {
    struct sg_api_key key; /* created_at */
    const char *tenant_id; /* NULL: the platform's */
    const char *kind, *state;
    int64_t priority, attempts, max_attempts;
    sg_time run_at;
    bool cancel; /* asked for, and not carried out yet where it waits or is at work */
    const char *last_error;
    const char *result;  /* JSON; NULL: none */
    sg_time finished_at; /* 0: not yet */
};

/* Of a list; NULL filters nothing. */
struct sg_api_job_filter {
    const char *state, *kind;
};

/* Makes job (schema/job.h); where one of its unique key is there already, row_r is that one. */
SG_MUST_USE bool sg_api_job_insert(struct sg_tx *tx, struct sg_arena *arena,
                                   const struct sg_job_new *job, struct sg_api_job *row_r,
                                   struct sg_error *err);
/* tenant_id NULL in what follows: whosever it is. */
SG_MUST_USE bool sg_api_job_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const char *id, struct sg_api_job *row_r, struct sg_error *err);
/* tenant_id NULL: every tenant's and the platform's. */
SG_MUST_USE bool sg_api_job_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                 const struct sg_api_job_filter *filter,
                                 const struct sg_api_page *page, struct sg_api_job **rows_r,
                                 size_t *count_r, struct sg_error *err);
/* A dead one is queued anew, a waiting one is due at once; SG_E_CONFLICT in any other state, or
 * where another of its unique key waits. */
SG_MUST_USE bool sg_api_job_retry(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                  const char *id, struct sg_api_job *row_r, struct sg_error *err);
/* Not to be done (any more). SG_E_CONFLICT where it has ended. */
SG_MUST_USE bool sg_api_job_cancel(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const char *id, struct sg_api_job *row_r, struct sg_error *err);

struct sg_api_audit {
    struct sg_api_key key; /* at; the id in decimal */
    const char *tenant_id, *actor, *address, *request_id, *action, *object, *object_id;
    const char *before, *after; /* JSON objects; NULL: none */
};

/* NULL or 0: any. actor: all of it, or the id in it ("tok_…", "cli_…"). */
struct sg_api_audit_filter {
    const char *actor, *object, *object_id;
    sg_time since, until; /* until: before it */
};
/* tenant_id NULL: of all tenants and the platform. */
SG_MUST_USE bool sg_api_audit_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const struct sg_api_audit_filter *filter,
                                   const struct sg_api_page *page, struct sg_api_audit **rows_r,
                                   size_t *count_r, struct sg_error *err);

#endif
