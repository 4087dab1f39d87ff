/*
 * Certificates that anybody may have made: decoding one costs no more than a few times its size.
 * The one way from DER to an X509 in all daemons.
 */
#ifndef SG_COMMON_CERTIFICATE_H
#define SG_COMMON_CERTIFICATE_H

#include "common/bytes.h"

#include <openssl/x509.h>

/*
 * For X509_free(), with what OpenSSL looks up in it already there, so that threads may share it.
 * NULL where it is no certificate or something stands behind it, where it is larger than any
 * authority makes one (64 KiB), or not bearable.
 */
X509 *sg_certificate_read(struct sg_bytes der);

/* Of one that came decoded, as in a PKCS#7: may OpenSSL be asked about its extensions at all? Asked
 * before anything else is. */
bool sg_certificate_bearable(const X509 *certificate);

/*
 * For OpenSSL's readers of PEM, wherever one is used: what is encrypted is not read. Without it
 * OpenSSL asks for the password at the terminal, or of what stands in for it, and puts signal
 * handlers of its own in the place of ours meanwhile.
 */
int sg_pem_no_password(char *password, int room, int writing, void *unused);

#endif
