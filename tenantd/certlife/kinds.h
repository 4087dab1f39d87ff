/* The kinds of jobs of this folder, with their payloads. */
#ifndef SG_CERTLIFE_KINDS_H
#define SG_CERTLIFE_KINDS_H

#include "certlife/certlife.h"

/* key.generate {"key_id"}: pending → active, with its public key. Given up: failed. */
SG_MUST_USE bool sg_key_generate_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_key_generate_give_up(struct sg_job *job, struct sg_tx *tx,
                                         struct sg_error *err);
/* key.csr {"key_id"}: the key's signed request. */
SG_MUST_USE bool sg_key_csr_job(struct sg_job *job, struct sg_error *err);
/* certificate.install {"domain_id", "certificates": [base64 DER, leaf first]}: checked (check.h),
 * then active. Result: {"certificate_id"}. */
SG_MUST_USE bool sg_certificate_install_job(struct sg_job *job, struct sg_error *err);
/* archive.key {}, by schedule: the current quarter's key pair, if it has none. */
SG_MUST_USE bool sg_archive_key_job(struct sg_job *job, struct sg_error *err);

#endif
