/*
 * Decoded certificates by their DER. Decoding one costs OpenSSL 3 more than a verification with it
 * (FACTS), and the same few come with message after message: our own, our partners', their CAs'.
 */
#ifndef SG_X509_X509_H
#define SG_X509_X509_H

#include "common/bytes.h"

#include <openssl/x509.h>

/*
 * One reference, for X509_free(); NULL where sg_certificate_read() gives none.
 * The object may be shared with other threads: it is only read.
 */
X509 *sg_x509_decode(struct sg_bytes der);

/*
 * Keeps what sg_x509_decode() gave, for the next time that it is asked for; what is kept already
 * moves no further. For what is ours or was found good alone: what a stranger sends neither takes
 * memory beyond its message nor pushes out what is in use.
 */
void sg_x509_remember(X509 *certificate);

/* SHA-256 of its DER; of what sg_x509_decode() gave without encoding it again. */
void sg_x509_sha256(const X509 *certificate, uint8_t out[32]);

/*
 * How many are kept at most, about 7 KiB each (and of at most 16 KiB of DER); 0: none. The process
 * begins with 256. Empties what there is.
 */
void sg_x509_keep(size_t certificates);

#endif
