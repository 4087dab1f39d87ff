#include "smtp/policy_server.h"

#include "common/buf.h"
#include "common/log.h"
#include "smtp/listener.h"
#include "smtp/policy_request.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#define ACTION_BYTES 1024
#define UNDECIDED    "DEFER_IF_PERMIT 4.3.0 try again later"

struct sg_policy_server {
    struct sg_policy_server_options options;
    struct listener *listener;
};

/* What would break the protocol is a bug of ours; Postfix is then told to wait. */
static const char *action_checked(const char *action)
{
    for (const char *p = action; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return UNDECIDED;
    return *action ? action : UNDECIDED;
}

static bool answer(struct sg_policy_server *server, int fd, struct sg_bytes text,
                   struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_policy_request request;
    if (!policy_request_parse(arena, text, &request, err))
        return false;
    char action[ACTION_BYTES] = "";
    server->options.decide(server->options.ctx, &request, action, sizeof action);
    const char *line = sg_arena_printf(arena, "action=%s\n\n", action_checked(action));
    return sg_io_write_full(fd, line, strlen(line),
                            sg_deadline_in(server->options.request_timeout_ms), err);
}

/* Waits, as long as it takes, for the begin of a request. */
static bool wait_for_request(struct listener_connection *connection, int fd)
{
    struct sg_error err;
    bool ready = false;
    while (!ready && listener_wait_begin(connection)) {
        ready = sg_io_wait(fd, POLLIN, sg_deadline_in(INT_MAX), &err);
        if (!ready && err.code != SG_E_TIMEOUT)
            break;
    }
    listener_wait_end(connection);
    return ready && !listener_stopping(connection);
}

/* Reads until buf holds an empty line; *n_r is the length of what stands before it. *end_r: the
 * peer went between two requests. */
static bool read_request(int fd, struct sg_buf *buf, size_t *n_r, bool *end_r, sg_deadline deadline,
                         struct sg_error *err)
{
    char block[4096];
    for (;;) {
        const uint8_t *end = buf->len ? memmem(buf->data, buf->len, "\n\n", 2) : NULL;
        if (end) {
            *n_r = (size_t)(end - buf->data) + 1;
            return true;
        }
        size_t n;
        if (sg_deadline_left(deadline) == 0)
            return sg_fail(err, SG_E_TIMEOUT, "policy request not complete in time");
        if (!sg_io_read(fd, block, sizeof block, &n, deadline, err))
            return false;
        *end_r = n == 0 && buf->len == 0;
        if (n == 0)
            return sg_fail(err, SG_E_IO, "connection closed");
        if (!sg_buf_add(buf, block, n))
            return sg_fail(err, SG_E_LIMIT, "policy request too long");
    }
}

static void serve(void *ctx, struct listener_connection *connection, int fd)
{
    struct sg_policy_server *server = ctx;
    struct sg_error err;
    SG_AUTO_BUF buf;
    sg_buf_init(&buf, server->options.max_request_bytes);
    bool ok = true, end = false;
    while (ok && (buf.len || wait_for_request(connection, fd))) {
        size_t n;
        ok = read_request(fd, &buf, &n, &end, sg_deadline_in(server->options.request_timeout_ms),
                          &err) &&
             answer(server, fd, sg_bytes_of(buf.data, n), &err);
        if (ok) {
            memmove(buf.data, buf.data + n + 1, buf.len - n - 1);
            buf.len -= n + 1;
        }
    }
    if (!ok && !end)
        sg_log_error(SG_LOG_WARNING, "policy.request-failed", &err, NULL);
}

bool sg_policy_server_start(const struct sg_policy_server_options *options,
                            struct sg_policy_server **server_r, struct sg_error *err)
{
    *server_r = NULL;
    if (!options->decide || options->max_connections < 1 || options->max_request_bytes < 1024)
        return sg_fail(err, SG_E_CONFIG, "policy service: a limit is missing or too low");
    struct sg_policy_server *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->options = *options;
    struct listener_options l = {.name = options->name,
                                 .address = options->address,
                                 .mode = options->mode,
                                 .max_connections = options->max_connections,
                                 .serve = serve,
                                 .ctx = s};
    if (!listener_start(&l, &s->listener, err)) {
        free(s);
        return false;
    }
    *server_r = s;
    return true;
}

void sg_policy_server_stop_begin(struct sg_policy_server *server)
{
    if (server)
        listener_stop_begin(server->listener);
}

void sg_policy_server_stop(struct sg_policy_server **server, int64_t grace_ms)
{
    if (!*server)
        return;
    listener_stop(&(*server)->listener, grace_ms);
    free(*server);
    *server = NULL;
}
