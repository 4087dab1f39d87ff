/* May this certificate be installed for this domain? Each refusal is in words for an administrator.
 */
#ifndef SG_CERTLIFE_CHECK_H
#define SG_CERTLIFE_CHECK_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/error.h"

#include <openssl/x509.h>

struct sg_install_check {
    const char *domain;
    X509 *certificate;
    STACK_OF(X509) *intermediates; /* as they were handed in */
    STACK_OF(X509) *anchors;
    sg_time now;
    const char *cause; /* set where it is refused: "wrong-domain", "expired", "untrusted", … */
};

/*
 * REQ-158 (CRL distribution point), 160 (13 months), 163 (signs and encrypts), 164 (naming), 166
 * (address): SG_E_CERT with the reason. chain_r gets the intermediates of the chain that was
 * found, the leaf's issuer first, the anchor left out; to be freed with its elements.
 */
SG_MUST_USE bool sg_install_check(struct sg_install_check *check, STACK_OF(X509) **chain_r,
                                  struct sg_error *err);

#endif
