#include "api/server.h"

#include "api/metrics.h"
#include "api/router.h"
#include "api/tls.h"

#include "common/buf.h"
#include "common/deadline.h"
#include "common/log.h"
#include "common/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER_BYTES_MAX  32768
#define REQUEST_LIMIT_MS  120000 /* no transaction takes that long */
#define QUERY_PAIRS_MAX   32
#define DISCARD_BYTES_MAX (1 << 24) /* of a body beyond the limit, until the connection is cut */

struct api_server {
    const struct api_service *service;
    const struct api_settings *settings;
    int64_t body_limit, stop_timeout_ms;
    struct MHD_Daemon *daemons[API_LISTENERS_MAX];
    size_t daemon_count;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    int in_flight;       /* requests, under lock */
    struct api_tls *tls; /* of new connections, under lock; NULL: no listener has TLS */
};

/* A request on its way in, and its answer on the way out. */
struct exchange {
    struct sg_arena *arena;
    struct sg_buf body;
    size_t discarded; /* bytes beyond the limit */
    int64_t began_ms, began_us;
    bool in_flight; /* it has come whole: its answer is waited for at the end */
    struct api_request request;
    struct sg_error err;
};

static void in_flight_add(struct api_server *server, int n)
{
    pthread_mutex_lock(&server->lock);
    server->in_flight += n;
    if (server->in_flight == 0)
        pthread_cond_signal(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

static const char *address_of(struct MHD_Connection *connection, struct sg_arena *arena)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "unknown";
    if (!info || !info->client_addr)
        return "unknown";
    const struct sockaddr *sa = info->client_addr;
    if (sa->sa_family == AF_UNIX)
        return "unix";
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, text, sizeof text);
    if (sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, text, sizeof text);
    return sg_arena_strdup(arena, text);
}

static struct exchange *exchange_new(struct api_server *server, const char *method,
                                     const char *path)
{
    struct sg_arena *arena = sg_arena_new();
    struct exchange *x = SG_ARENA_NEW(arena, struct exchange);
    x->arena = arena;
    x->began_ms = sg_clock_monotonic_ms();
    x->began_us = sg_metric_now();
    x->request = (struct api_request){.arena = arena,
                                      .id = sg_id_new("req"),
                                      .method = sg_arena_strdup(arena, method),
                                      .path = sg_arena_strdup(arena, path)};
    sg_buf_init(&x->body, (size_t)server->body_limit);
    return x;
}

/* One line a request: neither its path nor its query, which may hold addresses of mail. */
static void exchange_log(const struct exchange *x)
{
    const struct api_request *r = &x->request;
    const char *tenant = api_param(r, "tenant_id");
    int status = r->reply.status;
    bool ours = status >= 500 || status == 0;
    if (ours && x->err.code)
        sg_log_error(SG_LOG_ERROR, "request.failed", &x->err, "request_id", r->id.text, NULL);
    sg_log(ours ? SG_LOG_WARNING : SG_LOG_INFO, "request", "request_id", r->id.text, "method",
           r->route ? r->route->method : NULL, "route", r->route ? r->route->pattern : NULL,
           "status", sg_log_num(status), "error", x->err.code ? sg_error_name(x->err.code) : NULL,
           "tenant", *tenant ? tenant : NULL, "token", r->caller.token_id, "client",
           r->caller.client_id, "address", r->address, "ms",
           sg_log_num(sg_clock_monotonic_ms() - x->began_ms), NULL);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct exchange *x = *con_cls;
    if (!x)
        return;
    *con_cls = NULL;
    exchange_log(x);
    api_metrics_request(x->request.route, x->request.reply.status, x->began_us);
    if (x->request.reply.file)
        close(x->request.reply.file);
    json_decref(x->request.reply.body);
    sg_buf_free(&x->body);
    bool in_flight = x->in_flight;
    struct sg_arena *arena = x->arena;
    sg_arena_free(&arena);
    if (in_flight)
        in_flight_add(cls, -1);
}

/* Escapes are ours to decode (json_spec.c), for libmicrohttpd's end at a NUL. */
static size_t unescape_nothing(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

struct pairs {
    struct sg_arena *arena;
    struct api_pair items[QUERY_PAIRS_MAX];
    size_t count;
};

static enum MHD_Result pair_take(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct pairs *pairs = cls;
    if (pairs->count < QUERY_PAIRS_MAX)
        pairs->items[pairs->count] = (struct api_pair){name ? name : "", value};
    pairs->count++;
    return MHD_YES;
}

static void number_add(struct MHD_Response *response, const char *name, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    MHD_add_response_header(response, name, text);
}

/* draft-ietf-httpapi-ratelimit-headers: what is allowed, and what is left of it. */
static void rate_add(struct MHD_Response *response, const struct api_rate_state *rate)
{
    char text[128];
    if (!rate->name)
        return;
    snprintf(text, sizeof text, "\"%s\";q=%lld;w=%lld", rate->name, (long long)rate->quota,
             (long long)rate->window_s);
    MHD_add_response_header(response, "RateLimit-Policy", text);
    snprintf(text, sizeof text, "\"%s\";r=%lld;t=%lld", rate->name, (long long)rate->left,
             (long long)rate->reset_s);
    MHD_add_response_header(response, "RateLimit", text);
}

static void headers_add(struct MHD_Response *response, const struct api_request *r)
{
    bool problem = r->reply.status >= 400;
    if (r->reply.body)
        MHD_add_response_header(response, "Content-Type",
                                problem ? "application/problem+json" : "application/json");
    if (r->reply.media_type) {
        const char *type = sg_arena_printf(r->arena, r->reply.file ? "%s" : "%s; charset=utf-8",
                                           r->reply.media_type);
        MHD_add_response_header(response, "Content-Type", type);
        MHD_add_response_header(response, "Content-Disposition", r->reply.disposition);
        /* A page of ours has no script, and nothing of elsewhere. */
        MHD_add_response_header(response, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; "
                                "frame-ancestors 'none'; sandbox");
    }
    MHD_add_response_header(response, "X-Request-Id", r->id.text);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->reply.location)
        MHD_add_response_header(response, "Location", r->reply.location);
    if (r->reply.status == 405 && r->reply.allow)
        MHD_add_response_header(response, "Allow", r->reply.allow);
    if (r->reply.status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (r->reply.retry_after)
        number_add(response, "Retry-After", r->reply.retry_after);
    if (r->reply.etag)
        MHD_add_response_header(response, "ETag", r->reply.etag);
    if (r->reply.replayed)
        MHD_add_response_header(response, "Idempotency-Replayed", "true");
    rate_add(response, &r->rate);
}

/* The file goes out as the client takes it; the response closes it. */
static enum MHD_Result file_send(struct MHD_Connection *connection, struct api_request *r)
{
    struct MHD_Response *response =
        MHD_create_response_from_fd64(r->reply.file_size, r->reply.file);
    if (!response)
        return MHD_NO;
    headers_add(response, r);
    r->reply.file = 0;
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)r->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_send(struct MHD_Connection *connection, struct api_request *r)
{
    if (r->reply.file)
        return file_send(connection, r);
    char *text = r->reply.body ? json_dumps(r->reply.body, JSON_COMPACT) : NULL;
    if (r->reply.body && !text)
        return MHD_NO;
    /* A text lives in the request's arena, which outlives the response. */
    struct MHD_Response *response =
        r->reply.media_type ? MHD_create_response_from_buffer(r->reply.text.len,
                                                              (void *)(uintptr_t)r->reply.text.data,
                                                              MHD_RESPMEM_PERSISTENT)
                            : MHD_create_response_from_buffer(text ? strlen(text) : 0, text,
                                                              text ? MHD_RESPMEM_MUST_FREE
                                                                   : MHD_RESPMEM_PERSISTENT);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    headers_add(response, r);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)r->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, struct exchange *x,
                              const char *text)
{
    sg_fail(&x->err, SG_E_LIMIT, "%s", text);
    api_reply_problem(&x->request, &x->err);
    return reply_send(connection, &x->request);
}

static void headers_take(struct MHD_Connection *connection, struct api_request *r)
{
    const struct {
        const char *name, **value;
    } wanted[] = {{"Authorization", &r->authorization},
                  {"Content-Type", &r->content_type},
                  {"Idempotency-Key", &r->idempotency_key},
                  {"If-Match", &r->if_match},
                  {"If-None-Match", &r->if_none_match}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        *wanted[i].value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, wanted[i].name);
}

static enum MHD_Result answer(struct api_server *server, struct MHD_Connection *connection,
                              struct exchange *x)
{
    struct api_request *r = &x->request;
    x->in_flight = true;
    in_flight_add(server, 1);
    struct pairs pairs = {.arena = x->arena};
    if (x->body.overflown)
        return refuse(connection, x, "the body is too large");
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, pair_take, &pairs);
    if (pairs.count > QUERY_PAIRS_MAX)
        return refuse(connection, x, "the query has too many parameters");
    r->query = pairs.items;
    r->query_count = pairs.count;
    r->body = sg_buf_bytes(&x->body);
    headers_take(connection, r);
    r->certificate = api_tls_peer(connection, x->arena);
    struct sg_watch watch;
    sg_watch_enter(&watch, "request", REQUEST_LIMIT_MS);
    sg_watch_begin(&watch);
    api_service_answer(server->service, r, &x->err);
    sg_watch_leave(&watch);
    r->query = NULL;
    r->query_count = 0;
    return reply_send(connection, r);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    (void)version;
    struct api_server *server = cls;
    struct exchange *x = *con_cls;
    if (!x) { /* the headers are there */
        *con_cls = x = exchange_new(server, method, url);
        x->request.address = address_of(connection, x->arena);
        const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                         MHD_HTTP_HEADER_CONTENT_LENGTH);
        /* An answer before the end of the body cuts the connection: a body that is merely too
         * large is read and thrown away, so that the client sees why. */
        if (length && strtoll(length, NULL, 10) > DISCARD_BYTES_MAX)
            return refuse(connection, x, "the body is too large");
        return MHD_YES;
    }
    if (*size > 0) {
        if (x->body.overflown || !sg_buf_add(&x->body, data, *size))
            x->discarded += *size;
        *size = 0;
        return x->discarded > DISCARD_BYTES_MAX ? MHD_NO : MHD_YES;
    }
    return answer(server, connection, x);
}

/* What a connection has begun with it goes by to its end (see api_tls_begin()). */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        api_tls_drop((struct api_tls **)context);
        return;
    }
    pthread_mutex_lock(&server->lock);
    struct api_tls *tls = api_tls_hold(server->tls);
    pthread_mutex_unlock(&server->lock);
    *context = tls;
    api_tls_begin(tls, connection);
}

static struct MHD_Daemon *daemon_start(struct api_server *server,
                                       const struct api_settings *settings, int fd,
                                       const struct api_tls_files *tls)
{
    /* Threads are given out among the connections; one alone has no pool. */
    unsigned threads = settings->threads > 1 ? (unsigned)settings->threads : 0;
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? tls->certificate : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? tls->key : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)api_tls_priorities},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
        on_request, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(settings->idle_timeout / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES_MAX, MHD_OPTION_UNESCAPE_CALLBACK,
        unescape_nothing, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_ARRAY,
        tls ? secure : secure + 4, MHD_OPTION_END);
}

static bool tls_take(struct api_server *server, struct api_tls_files *files_r, struct sg_error *err)
{
    struct api_tls *fresh;
    if (!api_tls_read(server->settings, files_r, &fresh, err))
        return false;
    pthread_mutex_lock(&server->lock);
    struct api_tls *old = server->tls;
    server->tls = fresh;
    pthread_mutex_unlock(&server->lock);
    api_tls_drop(&old);
    return true;
}

bool api_server_reload(struct api_server *server, struct sg_error *err)
{
    struct api_tls_files files;
    if (!server->tls) {
        sg_log(SG_LOG_INFO, "reload.nothing", NULL); /* there is nothing to read anew */
        return true;
    }
    if (!tls_take(server, &files, err))
        return false;
    api_tls_files_free(&files);
    sg_log(SG_LOG_INFO, "reload.tls", NULL);
    return true;
}

static bool listener_start(struct api_server *server, const struct api_settings *settings,
                           const char *address, struct sg_error *err)
{
    int fd;
    struct api_tls_files tls = {0};
    bool secure = strncmp(address, "tls:", 4) == 0;
    char plain[170];
    snprintf(plain, sizeof plain, "%s%s", secure ? "inet:" : "", address + (secure ? 4 : 0));
    if ((secure && !tls_take(server, &tls, err)) ||
        !sg_io_listen(plain, api_socket_mode(settings), SOMAXCONN, &fd, err)) {
        api_tls_files_free(&tls);
        return false;
    }
    struct MHD_Daemon *daemon = daemon_start(server, settings, fd, secure ? &tls : NULL);
    api_tls_files_free(&tls);
    if (!daemon) {
        sg_fail_errno(err, SG_E_IO, "no HTTP server on %s", address);
        close(fd);
        return false;
    }
    server->daemons[server->daemon_count++] = daemon;
    sg_log(SG_LOG_INFO, "listening", "on", address, NULL);
    return true;
}

bool api_server_start(const struct api_settings *settings, const struct api_service *service,
                      struct api_server **server_r, struct sg_error *err)
{
    struct api_server *server = calloc(1, sizeof *server);
    if (!server)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    server->service = service;
    server->settings = settings;
    server->body_limit = settings->body_limit;
    server->stop_timeout_ms = settings->stop_timeout;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&server->lock, NULL);
    *server_r = server;
    char address[160];
    for (const char *at = settings->listen; api_listen_next(&at, address, sizeof address);) {
        if (!listener_start(server, settings, address, err)) {
            api_server_stop(server_r);
            return false;
        }
    }
    return true;
}

static void idle_wait(struct api_server *server)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += server->stop_timeout_ms / 1000;
    pthread_mutex_lock(&server->lock);
    while (server->in_flight > 0 &&
           pthread_cond_timedwait(&server->idle, &server->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&server->lock);
}

void api_server_stop(struct api_server **server)
{
    struct api_server *s = *server;
    if (!s)
        return;
    *server = NULL;
    int fds[API_LISTENERS_MAX];
    for (size_t i = 0; i < s->daemon_count; i++) {
        fds[i] = MHD_quiesce_daemon(s->daemons[i]);
        /* Its threads may still have it, so it is closed later; clients are turned away now. */
        if (fds[i] >= 0)
            shutdown(fds[i], SHUT_RDWR);
    }
    idle_wait(s);
    for (size_t i = 0; i < s->daemon_count; i++) {
        MHD_stop_daemon(s->daemons[i]);
        if (fds[i] >= 0)
            close(fds[i]);
    }
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    api_tls_drop(&s->tls);
    free(s);
}
