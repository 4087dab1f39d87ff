/*
 * Content-encryption keys as they come in mail: opened with a key at hand, or answered with the
 * fallback (as long as the key that is wanted) where they do not open. Only faults of the HSM or of
 * OpenSSL are errors.
 */
#ifndef SG_HSM_CEK_H
#define SG_HSM_CEK_H

#include "hsm/keystore.h"

/* RSA, PKCS #1 v1.5 and OAEP. out gets request->number octets. */
CK_RV sg_cek_transported(const struct sg_session *session, const struct sg_entry *key,
                         const struct sg_hsm_request *request, const uint8_t *fallback,
                         uint8_t *out, struct sg_error *err);
/* ECDH (RFC 5753): the HSM derives, the rest is done here. */
CK_RV sg_cek_agreed(const struct sg_session *session, const struct sg_entry *key,
                    const struct sg_hsm_request *request, const uint8_t *fallback, uint8_t *out);

#endif
