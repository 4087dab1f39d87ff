/* Within the folder: TLS of the client (RFC 3207), on non-blocking descriptors with deadlines. */
#ifndef SG_SMTP_TLS_H
#define SG_SMTP_TLS_H

#include "common/deadline.h"
#include "common/error.h"
#include "smtp/client.h"

#include <openssl/types.h>

/* For one destination: TLS 1.2 at least; VERIFIED trusts ca_pem, or the system's where it is "". */
SG_MUST_USE bool smtp_tls_context(const struct sg_smtp_destination *destination, SSL_CTX **ctx_r,
                                  struct sg_error *err);
/* The handshake; VERIFIED holds the certificate against the host's name or address. */
SG_MUST_USE bool smtp_tls_connect(SSL_CTX *ctx, const struct sg_smtp_destination *destination,
                                  int fd, SSL **ssl_r, sg_deadline deadline, struct sg_error *err);
/* *n_r 0 is the end. */
SG_MUST_USE bool smtp_tls_read(SSL *ssl, int fd, void *data, size_t len, size_t *n_r,
                               sg_deadline deadline, struct sg_error *err);
SG_MUST_USE bool smtp_tls_write(SSL *ssl, int fd, const void *data, size_t len,
                                sg_deadline deadline, struct sg_error *err);

#endif
