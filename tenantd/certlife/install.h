/*
 * A certificate that came back, by whatever way: is its key one of the domain's, may it be
 * installed (check.h), and its row. In two steps, so that the second is one transaction with the
 * end of whoever asks.
 */
#ifndef SG_CERTLIFE_INSTALL_H
#define SG_CERTLIFE_INSTALL_H

#include "certlife/certlife.h"
#include "schema/certificate.h"
#include "schema/domain.h"
#include "schema/hsm_key.h"

#include <openssl/x509.h>

struct sg_installation {
    struct sg_job *job;
    const struct sg_certlife *life;
    const char *domain_id;
    STACK_OF(X509) *handed; /* leaf first */

    /* Found out by _check. */
    struct sg_domain_row domain;
    struct sg_hsm_key_row key;
    const char
        *cause; /* why it was refused: "wrong-key", "wrong-domain", "expired", "untrusted", … */
    STACK_OF(X509) *chain;
    struct sg_certificate_new certificate;

    const char *certificate_id; /* found out by _commit */
};

/* Takes the certificate; what follows its DER makes it no certificate. */
SG_MUST_USE bool sg_x509_push(STACK_OF(X509) *list, struct sg_bytes der);
struct sg_bytes sg_x509_der(struct sg_arena *arena, const X509 *x);
/* The accredited roots (REQ-178, 179). */
SG_MUST_USE bool sg_anchors_read(struct sg_job *job, STACK_OF(X509) *anchors, struct sg_error *err);

/* SG_E_CERT with a cause, or another error where the question could not be asked. */
SG_MUST_USE bool sg_installation_check(struct sg_installation *in, struct sg_error *err);
/* The row; the order that waits for a certificate of this key has it; its publication is watched.
 */
SG_MUST_USE bool sg_installation_commit(struct sg_tx *tx, struct sg_installation *in,
                                        struct sg_error *err);
void sg_installation_free(struct sg_installation *in);

#endif
