/* The jobs around keys and certificates. See schema/job.h for their payloads. */
#ifndef SG_CERTLIFE_CERTLIFE_H
#define SG_CERTLIFE_CERTLIFE_H

#include "hsmclient/client.h"
#include "jobs/worker.h"

/* The context of these jobs (struct sg_job.ctx). */
struct sg_certlife {
    struct sg_hsm *hsm;
    enum sg_hsm_kind archive_kind;
    int archive_bits;
};

/* key.generate: pending → active, with its public key. Given up: failed. */
SG_MUST_USE bool sg_key_generate_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_key_generate_give_up(struct sg_job *job, struct sg_tx *tx,
                                         struct sg_error *err);
/* key.csr: the key's signed request. */
SG_MUST_USE bool sg_key_csr_job(struct sg_job *job, struct sg_error *err);
/* certificate.install: checked (check.h), then active. Result: {"certificate_id"}. */
SG_MUST_USE bool sg_certificate_install_job(struct sg_job *job, struct sg_error *err);
/* archive.key: the quarter's key pair, if it has none. */
SG_MUST_USE bool sg_archive_key_job(struct sg_job *job, struct sg_error *err);

/* Asks for the current quarter's archive key where it is missing and nobody has asked. */
SG_MUST_USE bool sg_archive_key_ensure(struct sg_db *db, sg_time now, struct sg_error *err);

#endif
