/* The jobs around keys and certificates. */
#ifndef SG_CERTLIFE_CERTLIFE_H
#define SG_CERTLIFE_CERTLIFE_H

#include "common/clock.h"
#include "hsmclient/client.h"
#include "jobs/worker.h"

/* The context of these jobs (struct sg_job.ctx). */
struct sg_certlife {
    struct sg_hsm *hsm;
    enum sg_hsm_kind archive_kind;
    int archive_bits;

    const char *credentials_dir;     /* "": systemd's credentials */
    int64_t timeout_ms;              /* of one answer of an authority, a directory */
    sg_time retry_first, retry_most; /* an authority that is away */
    sg_time poll_least, poll_most;   /* one that considers (202) */
    sg_time again;                   /* another order after one that failed */
    sg_time jitter;                  /* renewals are spread over this */
    sg_time grace;                   /* a key decrypts for this long after its last certificate */
    sg_time publication_timeout;     /* then it is an incident that one is not in the directory */
    bool destroy;                    /* retired keys are destroyed … */
    sg_time destroy_after;           /* … this long afterwards */
};

/* See kinds.h for their payloads. */
extern const struct sg_job_kind sg_certlife_kinds[];

#endif
