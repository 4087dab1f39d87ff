/*
 * TLS of a listener (libmicrohttpd's, by GnuTLS): our certificate and key, and the CA that client
 * certificates must come from. A client need not have one.
 */
#ifndef SG_API_TLS_H
#define SG_API_TLS_H

#include "api/settings.h"

#include "common/arena.h"
#include "common/error.h"

#include <microhttpd.h>

/* The files of the settings, in PEM, ended by NUL; wiped by api_tls_free(). */
struct api_tls {
    char *certificate, *key, *client_ca; /* client_ca NULL: no client is asked for one */
};
SG_MUST_USE bool api_tls_read(const struct api_settings *settings, struct api_tls *tls_r,
                              struct sg_error *err);
void api_tls_free(struct api_tls *tls);

/* Versions and ciphers, as GnuTLS writes them. */
extern const char api_tls_priorities[];

/*
 * SHA-256, in hex, of the certificate that the client of this connection has proved to hold, if it
 * comes from the client CA, is valid now and is for clients; else NULL.
 */
const char *api_tls_peer(struct MHD_Connection *connection, struct sg_arena *arena);

#endif
