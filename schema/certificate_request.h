/* Certificates that are asked for by mail, and the answers to others' requests (REQ-44). */
#ifndef SG_SCHEMA_CERTIFICATE_REQUEST_H
#define SG_SCHEMA_CERTIFICATE_REQUEST_H

#include "schema/db.h"

struct sg_certificate_request {
    const char *id; /* "crq_…" */
    const char *partner;
    const char *tenant_id, *domain_id; /* of ours, on whose behalf */
    sg_time created_at;
    int attempts; /* reading alone */
};

/* Puts it into the outbox. *asked_r false: that partner was asked since not_since, or is about to
 * be. */
SG_MUST_USE bool sg_certificate_request_ask(struct sg_db *db,
                                            const struct sg_certificate_request *row,
                                            sg_time not_since, bool *asked_r, struct sg_error *err);
/* Requests that are due, whose next try moves ahead by the lease. */
SG_MUST_USE bool sg_certificate_request_claim(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                              const struct sg_claim *claim,
                                              struct sg_certificate_request **rows_r,
                                              size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_certificate_request_sent(struct sg_db *db, const char *id, sg_time now,
                                             struct sg_error *err);
/* It could not be sent: tried again at next_try_at, unless it was the last try. */
SG_MUST_USE bool sg_certificate_request_failed(struct sg_db *db, const char *id,
                                               sg_time next_try_at, bool last, const char *why,
                                               struct sg_error *err);
/* Was this partner asked, last and on behalf of that domain? */
SG_MUST_USE bool sg_certificate_request_find(struct sg_db *db, const char *partner,
                                             const char *domain_id, bool *asked_r,
                                             struct sg_error *err);
SG_MUST_USE bool sg_certificate_request_answered(struct sg_db *db, const char *partner, sg_time now,
                                                 struct sg_error *err);

/* May this partner's request be answered: was none since not_since, and none that was signed at
 * that time or later? Notes that it is. */
struct sg_certificate_answer {
    const char *domain_id, *tenant_id, *partner;
    sg_time answered_at, signed_at;
};
SG_MUST_USE bool sg_certificate_answer_claim(struct sg_db *db,
                                             const struct sg_certificate_answer *row,
                                             sg_time not_since, bool *may_r, struct sg_error *err);
/* It could not be sent after all. */
SG_MUST_USE bool sg_certificate_answer_release(struct sg_db *db,
                                               const struct sg_certificate_answer *row,
                                               struct sg_error *err);

#endif
