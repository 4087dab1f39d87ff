/* The jobs around keys and certificates. */
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

/* key.generate, key.csr, certificate.install, archive.key; see kinds.h for their payloads. */
extern const struct sg_job_kind sg_certlife_kinds[];

#endif
