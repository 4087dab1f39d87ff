/* HTTP over libmicrohttpd: an epoll thread pool for each listening socket. */
#ifndef SG_API_SERVER_H
#define SG_API_SERVER_H

#include "api/service.h"
#include "api/settings.h"

struct api_server;

/* Listens and answers from now on. settings and service must live as long. */
SG_MUST_USE bool api_server_start(const struct api_settings *settings,
                                  const struct api_service *service, struct api_server **server_r,
                                  struct sg_error *err);
/* Reads the certificate, key and client CA of the tls: listeners anew, for connections that come
 * from now on. false: what was there goes on. */
SG_MUST_USE bool api_server_reload(struct api_server *server, struct sg_error *err);
/* Accepts no more, waits for the requests in flight (at most stop_timeout), and ends. */
void api_server_stop(struct api_server **server);

#endif
