#include "smtp/server.h"

#include "smtp/listener.h"
#include "smtp/session.h"

#include <stdio.h>
#include <stdlib.h>

struct sg_smtp_server {
    struct sg_smtp_server_options options;
    struct sg_smtp_callbacks callbacks;
    struct listener *listener;
    char refusal[320];
};

static void serve(void *ctx, struct listener_connection *connection, int fd)
{
    struct sg_smtp_server *server = ctx;
    smtp_session_run(&server->options, &server->callbacks, connection, fd);
}

static bool check(const struct sg_smtp_server_options *o, const struct sg_smtp_callbacks *callbacks,
                  struct sg_error *err)
{
    if (!callbacks->message || !o->hostname || !*o->hostname || o->max_connections < 1 ||
        o->max_recipients < 1 || o->max_line_bytes < 512 || o->spool.max_bytes == 0)
        return sg_fail(err, SG_E_CONFIG, "listener %s: a limit is missing or too low", o->name);
    return true;
}

bool sg_smtp_server_start(const struct sg_smtp_server_options *options,
                          const struct sg_smtp_callbacks *callbacks,
                          struct sg_smtp_server **server_r, struct sg_error *err)
{
    *server_r = NULL;
    if (!check(options, callbacks, err))
        return false;
    struct sg_smtp_server *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->options = *options;
    s->callbacks = *callbacks;
    snprintf(s->refusal, sizeof s->refusal, "421 4.3.2 %.200s too many connections\r\n",
             options->hostname);
    struct listener_options l = {.name = options->name,
                                 .address = options->address,
                                 .mode = options->mode,
                                 .max_connections = options->max_connections,
                                 .refusal = s->refusal,
                                 .serve = serve,
                                 .ctx = s};
    if (!listener_start(&l, &s->listener, err)) {
        free(s);
        return false;
    }
    *server_r = s;
    return true;
}

void sg_smtp_server_stop_begin(struct sg_smtp_server *server)
{
    if (server)
        listener_stop_begin(server->listener);
}

void sg_smtp_server_stop(struct sg_smtp_server **server, int64_t grace_ms)
{
    if (!*server)
        return;
    listener_stop(&(*server)->listener, grace_ms);
    free(*server);
    *server = NULL;
}
