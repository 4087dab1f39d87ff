/*
 * TLS of the listeners (libmicrohttpd's, by GnuTLS): our certificate and key, and the CA that
 * client certificates must come from. A client need not have one. The files may be read anew at any
 * time: a connection goes by what was there when it came.
 */
#ifndef SG_API_TLS_H
#define SG_API_TLS_H

#include "api/settings.h"

#include "common/arena.h"
#include "common/error.h"

#include <microhttpd.h>

/* The files of the settings, in PEM, ended by NUL; wiped by api_tls_files_free(). */
struct api_tls_files {
    char *certificate, *key, *client_ca; /* client_ca NULL: no client is asked for one */
};
void api_tls_files_free(struct api_tls_files *files);

/* What they say, ready for use: counted, for it lasts as long as the connections that go by it. */
struct api_tls;
SG_MUST_USE bool api_tls_read(const struct api_settings *settings, struct api_tls_files *files_r,
                              struct api_tls **tls_r, struct sg_error *err);
struct api_tls *api_tls_hold(struct api_tls *tls);
/* Takes NULL. */
void api_tls_drop(struct api_tls **tls);
/* A connection begins: before its handshake. It goes by tls, which must be held until it ends. */
void api_tls_begin(const struct api_tls *tls, struct MHD_Connection *connection);

/* Versions and ciphers, as GnuTLS writes them. */
extern const char api_tls_priorities[];

/*
 * SHA-256, in hex, of the certificate that the client of this connection has proved to hold, if it
 * comes from the client CA, is valid now and is for clients; else NULL.
 */
const char *api_tls_peer(struct MHD_Connection *connection, struct sg_arena *arena);

#endif
