/* Is a certificate where partners look for it, and is a revoked one on the list? */
#ifndef SG_CERTLIFE_PUBLICATION_H
#define SG_CERTLIFE_PUBLICATION_H

#include "certlife/certlife.h"
#include "schema/authority.h"

#include <openssl/x509.h>

/* Is it in the directory of this authority, at its domain's entry (REQ-50, 168)? */
SG_MUST_USE bool sg_publication_look(const struct sg_certlife *life, struct sg_arena *arena,
                                     const struct sg_authority_row *authority, const char *domain,
                                     struct sg_bytes der, bool *there_r, struct sg_error *err);
/*
 * Is it on the revocation list that it names (http, https, ldap, ldaps), signed by one of issuers?
 * SG_E_CRL where that cannot be known.
 */
SG_MUST_USE bool sg_revocation_listed(const struct sg_certlife *life, X509 *certificate,
                                      STACK_OF(X509) *issuers, bool *listed_r,
                                      struct sg_error *err);

/* How long until it is looked again: a quarter of the time that it took until now. */
sg_time sg_look_again(sg_time since, sg_time now);

/* certificate.publication for it, unless there is one. */
SG_MUST_USE bool sg_publication_watch(struct sg_tx *tx, const char *tenant_id,
                                      const char *certificate_id, struct sg_error *err);

#endif
