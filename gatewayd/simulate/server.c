#include "simulate/server.h"

#include "common/deadline.h"
#include "common/log.h"
#include "simulate/request.h"

#include <microhttpd.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#define IDLE_S      30
#define SOCKET_MODE 0660
#define CONNECTIONS 1024 /* as many as apid can have threads */

struct sg_simulate_server {
    struct sg_simulate_options options;
    struct MHD_Daemon *http;
    sem_t slots; /* each for a dry run: MHD would cut off a connection that is one too many */
};

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (!text)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result fault(struct MHD_Connection *connection, const struct sg_error *err)
{
    bool theirs = err->code == SG_E_MALFORMED || err->code == SG_E_INVALID ||
                  err->code == SG_E_MIME || err->code == SG_E_LIMIT;
    if (!theirs)
        sg_log_error(SG_LOG_WARNING, "simulation.failed", err, NULL);
    return reply(connection, theirs ? 400 : 503,
                 json_pack("{s:s, s:s}", "error", sg_error_name(err->code), "detail",
                           err->detail[0] ? err->detail : sg_error_text(err->code)));
}

static enum MHD_Result answer(struct sg_simulate_server *server, struct MHD_Connection *connection,
                              struct sg_simulate_request *r)
{
    struct sg_simulation simulation;
    struct sg_error err = {0};
    json_t *plans = NULL;
    if (!sg_simulate_request_end(r, server->options.max_recipients, &simulation, &err))
        return fault(connection, &err);
    while (sem_wait(&server->slots) != 0)
        ; /* a signal */
    bool ok = sg_simulate(server->options.gw, r->arena, &simulation, &plans, &err);
    sem_post(&server->slots);
    return ok ? reply(connection, 200, plans) : fault(connection, &err);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    struct sg_simulate_server *server = cls;
    struct sg_simulate_request *r = *con_cls;
    (void)version;
    if (!r) { /* the headers alone are there */
        r = calloc(1, sizeof *r);
        if (!r)
            return MHD_NO;
        sg_simulate_request_begin(r, &server->options.gw->spool);
        *con_cls = r;
        return MHD_YES;
    }
    if (*size > 0) {
        sg_simulate_request_push(r, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "POST") != 0 || strcmp(url, "/simulate") != 0)
        return reply(connection, 404, json_pack("{s:s}", "detail", "POST /simulate alone"));
    return answer(server, connection, r);
}

static void on_end(void *cls, struct MHD_Connection *connection, void **con_cls,
                   enum MHD_RequestTerminationCode code)
{
    (void)cls, (void)connection, (void)code;
    if (*con_cls)
        sg_simulate_request_free(*con_cls);
    free(*con_cls);
    *con_cls = NULL;
}

bool sg_simulate_start(const struct sg_simulate_options *options,
                       struct sg_simulate_server **server_r, struct sg_error *err)
{
    int fd;
    *server_r = NULL;
    if (!*options->listen)
        return true;
    if (!sg_io_listen(options->listen, SOCKET_MODE, SOMAXCONN, &fd, err))
        return false;
    struct sg_simulate_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    server->options = *options;
    if (sem_init(&server->slots, 0, (unsigned)options->at_once) != 0)
        abort();
    server->http = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0, NULL,
        NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
    if (!server->http) {
        sg_fail_errno(err, SG_E_IO, "no HTTP server on %s", options->listen);
        close(fd);
        sem_destroy(&server->slots);
        free(server);
        return false;
    }
    *server_r = server;
    return true;
}

void sg_simulate_stop(struct sg_simulate_server **server)
{
    struct sg_simulate_server *s = *server;
    if (!s)
        return;
    MHD_stop_daemon(s->http); /* closes the listening socket too */
    sem_destroy(&s->slots);
    free(s);
    *server = NULL;
}
