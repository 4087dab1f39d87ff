/* What a server, which is anybody's, may cost us by its certificates. */
#ifndef SG_COMMON_TLS_H
#define SG_COMMON_TLS_H

#include <openssl/ssl.h>

/*
 * A client's context takes chains of at most 32 KiB, four times an ordinary one, and verifies none
 * with a certificate that is not bearable (certificate.h): X509_V_ERR_INVALID_EXTENSION. Who does
 * not verify connects all the same; to nobody whose chain brings a curve of its own, which is dear
 * to decode. No key exchange is offered whose group the server chooses; of the others those that
 * the machine's configuration has.
 */
void sg_tls_bound(SSL_CTX *ctx);

#endif
