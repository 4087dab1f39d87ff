/* The request for a domain's DCA certificate (RFC 2986), without its signature. */
#ifndef SG_CERTLIFE_CSR_H
#define SG_CERTLIFE_CSR_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/error.h"

#define SG_DCA_NAME "domain-confidentiality-authority"

/*
 * The CertificationRequestInfo in DER: C=NZ, O=organisation (cut at 64 characters, X.520's bound),
 * CN=domain-confidentiality-authority (REQ-46, RFC 3183 §4.1), and as a requested extension the
 * rfc822Name domain-confidentiality-authority@domain (REQ-47, 166).
 */
SG_MUST_USE bool sg_csr_info(const char *organisation, const char *domain, struct sg_bytes spki,
                             struct sg_buf *info_r, struct sg_error *err);

#endif
