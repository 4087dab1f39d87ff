/* Within the folder: one connection of the server, from greeting to close. */
#ifndef SG_SMTP_SESSION_H
#define SG_SMTP_SESSION_H

#include "smtp/listener.h"
#include "smtp/server.h"

/* Does not close fd. connection may be NULL (nobody stops it then). */
void smtp_session_run(const struct sg_smtp_server_options *options,
                      const struct sg_smtp_callbacks *callbacks,
                      struct listener_connection *connection, int fd);

#endif
