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
/* key.destroy {"key_id"}: of a failed or a retired key. */
SG_MUST_USE bool sg_key_destroy_job(struct sg_job *job, struct sg_error *err);
/* certificate.install {"domain_id", "certificates": [base64 DER, leaf first]}: checked (check.h),
 * then installed. Result: {"certificate_id"}. */
SG_MUST_USE bool sg_certificate_install_job(struct sg_job *job, struct sg_error *err);
/* certificate.ensure {"domain_id", "request": bool}: an order, where the domain needs one, or a
 * person wants one all the same. Result: {"order_id" or null, "because"}. */
SG_MUST_USE bool sg_certificate_ensure_job(struct sg_job *job, struct sg_error *err);
/* certificate.order {"order_id"}: as far as it goes now; again later while it waits. */
SG_MUST_USE bool sg_certificate_order_job(struct sg_job *job, struct sg_error *err);
SG_MUST_USE bool sg_certificate_order_give_up(struct sg_job *job, struct sg_tx *tx,
                                              struct sg_error *err);
/* certificate.publication {"certificate_id"}: until it is in the directory; then it signs. */
SG_MUST_USE bool sg_certificate_publication_job(struct sg_job *job, struct sg_error *err);
/* certificate.revoke {"revocation_id"}: until it is known to be on the list and out of the
 * directory. */
SG_MUST_USE bool sg_certificate_revoke_job(struct sg_job *job, struct sg_error *err);
/* certificate.compromise {"compromise_id"}: its steps, until all are done. */
SG_MUST_USE bool sg_certificate_compromise_job(struct sg_job *job, struct sg_error *err);
/* certificate.sweep {}, by schedule: domains that need an order, orders that have no job, keys
 * whose time is over. */
SG_MUST_USE bool sg_certificate_sweep_job(struct sg_job *job, struct sg_error *err);
/* archive.key {}, by schedule: the current quarter's key pair, if it has none. */
SG_MUST_USE bool sg_archive_key_job(struct sg_job *job, struct sg_error *err);
/* archive.dispose {}, by schedule: keys of earlier quarters, with their last data key. */
SG_MUST_USE bool sg_archive_dispose_job(struct sg_job *job, struct sg_error *err);

#endif
