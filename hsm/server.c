#include "hsm/server.h"

#include "common/log.h"
#include "common/wait.h"
#include "common/watch.h"
#include "hsm/metrics.h"

#include <openssl/crypto.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum phase { QUIET, WORKING /* in an operation */, OVERDUE /* and its caller was answered */ };

struct connection {
    struct sg_server *server;
    pthread_t thread;
    int fd;
    uid_t uid;
    pid_t pid;
    struct sg_bytes request; /* of in; wiped with it */
    size_t out_len;
    uint8_t in[SG_HSM_FRAME_MAX + 4], out[SG_HSM_FRAME_MAX + 4];
    struct sg_result result;
    struct sg_watch watch;
    /* Of the operation; written before the phase says WORKING. */
    enum sg_hsm_op op;
    int64_t began_us;
    sg_deadline deadline;
    _Atomic int phase;
    struct connection *next;
};

struct sg_server {
    struct sg_server_options options;
    struct sg_ops *ops;
    int stop_fd; /* readable for ever once the server stops */
    pthread_t acceptor;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    struct sg_access access;
    struct connection *connections; /* being served */
    struct connection *finished;    /* their threads are to be joined */
    int count, overdue;             /* of connections */
};

/* One request ---------------------------------------------------------------------------------- */

static bool allowed(struct sg_server *server, const struct connection *c,
                    const struct sg_hsm_request *q, struct sg_error *err)
{
    pthread_mutex_lock(&server->mutex);
    bool ok = sg_access_allows(&server->access, c->uid, q->op, q->class);
    pthread_mutex_unlock(&server->mutex);
    if (ok)
        return true;
    sg_log(SG_LOG_WARNING, "hsm.denied", "uid", sg_log_num(c->uid), "pid", sg_log_num(c->pid),
           "operation", sg_hsm_op_name(q->op), "class", sg_hsm_class_name(q->class), NULL);
    return sg_fail(err, SG_E_HSM_DENIED, "uid %ld may not do that", (long)c->uid);
}

static void request_log(const struct connection *c, const struct sg_hsm_request *q, bool ok,
                        const struct sg_error *err, int64_t ms)
{
    char id[SG_HSM_TEXT_MAX + 1];
    snprintf(id, sizeof id, "%.*s", (int)q->id.len, (const char *)q->id.data);
    if (ok)
        sg_log(SG_LOG_DEBUG, "hsm.done", "uid", sg_log_num(c->uid), "operation",
               sg_hsm_op_name(q->op), "class", sg_hsm_class_name(q->class), "key", id, "ms",
               sg_log_num(ms), NULL);
    else if (err->code != SG_E_HSM_DENIED)
        sg_log_error(SG_LOG_WARNING, "hsm.failed", err, "uid", sg_log_num(c->uid), "operation",
                     sg_hsm_op_name(q->op), "class", sg_hsm_class_name(q->class), "key", id, NULL);
}

/* false: the HSM took so long that the caller has been answered. */
static bool operate(struct connection *c, const struct sg_hsm_request *q, bool *ok_r,
                    struct sg_error *err)
{
    int working = WORKING;
    c->op = q->op;
    c->deadline = sg_ops_deadline(c->server->ops, q->op);
    atomic_store(&c->phase, WORKING);
    sg_watch_begin(&c->watch);
    *ok_r = sg_ops_run(c->server->ops, q, c->deadline, &c->result, err);
    sg_watch_end(&c->watch);
    if (atomic_compare_exchange_strong(&c->phase, &working, QUIET))
        return true;
    sg_log(SG_LOG_INFO, "hsm.late", "uid", sg_log_num(c->uid), "operation", sg_hsm_op_name(q->op),
           "ms", sg_log_num((sg_metric_now() - c->began_us) / 1000), NULL);
    return false;
}

/* Answers the request into c->out. false: the connection is of no more use. */
static bool answer(struct connection *c)
{
    struct sg_hsm_request q = {0};
    struct sg_hsm_reply reply = {0};
    struct sg_error *err = &reply.error;
    c->began_us = sg_metric_now();
    bool ok = sg_hsm_request_decode(c->request, &q, err) && allowed(c->server, c, &q, err);
    if (ok && !operate(c, &q, &ok, err))
        return false;
    if (ok)
        sg_error_reset(err);
    sg_hsm_count(q.op, err, c->began_us);
    request_log(c, &q, ok, err, (sg_metric_now() - c->began_us) / 1000);
    if (ok) {
        reply.error.code = SG_OK;
        reply.first = sg_bytes_of(c->result.first, c->result.first_len);
        reply.second = sg_bytes_of(c->result.second, c->result.second_len);
    }
    return sg_hsm_reply_encode(&reply, c->out, &c->out_len, NULL);
}

static void wipe(struct connection *c)
{
    OPENSSL_cleanse((uint8_t *)c->request.data, c->request.len);
    OPENSSL_cleanse(c->out, c->out_len);
    OPENSSL_cleanse(c->result.first, c->result.first_len);
    OPENSSL_cleanse(c->result.second, c->result.second_len);
    c->request = sg_bytes_of(NULL, 0);
    c->out_len = c->result.first_len = c->result.second_len = 0;
}

/* One connection ------------------------------------------------------------------------------- */

/* Until a request begins. false: it does not, in time, or the server stops. */
static bool request_wait(const struct connection *c)
{
    struct pollfd fds[2] = {{.fd = c->fd, .events = POLLIN},
                            {.fd = c->server->stop_fd, .events = POLLIN}};
    int n;
    do
        n = poll(fds, 2, (int)c->server->options.idle_timeout_ms);
    while (n < 0);
    return n > 0 && !fds[1].revents;
}

static void *connection_serve(void *arg)
{
    struct connection *c = arg;
    struct sg_server *server = c->server;
    bool going = true;
    sg_watch_enter(&c->watch, "operation", server->options.stuck_ms);
    while (going && request_wait(c)) {
        sg_deadline deadline = sg_deadline_in(server->options.request_timeout_ms);
        going = sg_hsm_frame_read(c->fd, c->in, &c->request, deadline, NULL) &&
                c->request.len > 0 && answer(c);
        deadline = sg_deadline_in(server->options.request_timeout_ms);
        going = going && sg_io_write_full(c->fd, c->out, c->out_len, deadline, NULL);
        wipe(c);
    }
    sg_watch_leave(&c->watch);
    pthread_mutex_lock(&server->mutex);
    close(c->fd); /* not before: sg_server_answer_overdue() may be writing to it */
    struct connection **at = &server->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->next = server->finished;
    server->finished = c;
    server->count--;
    server->overdue -= atomic_load(&c->phase) == OVERDUE;
    pthread_cond_signal(&server->ended);
    pthread_mutex_unlock(&server->mutex);
    return NULL;
}

/* Accepting ------------------------------------------------------------------------------------ */

/* The whole of it, as nothing else lies in the socket's buffer. */
static void error_send(int fd, const struct sg_error *why)
{
    uint8_t frame[SG_HSM_FRAME_MAX + 4];
    size_t len;
    struct sg_hsm_reply reply = {.error = *why};
    if (sg_hsm_reply_encode(&reply, frame, &len, NULL))
        (void)!send(fd, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Says why not, and hangs up: the reply is there before the peer has asked. */
static void turn_away(int fd, const struct sg_error *why)
{
    error_send(fd, why);
    close(fd);
}

/* With the mutex held. */
static bool may_connect(const struct sg_server *server, const struct ucred *peer,
                        struct sg_error *err)
{
    int of_user = 0;
    for (const struct connection *c = server->connections; c; c = c->next)
        of_user += c->uid == peer->uid;
    if (!sg_access_known(&server->access, peer->uid))
        return sg_fail(err, SG_E_HSM_DENIED, "uid %ld is not listed", (long)peer->uid);
    if (server->count >= server->options.max_connections ||
        of_user >= server->options.connections_per_user)
        return sg_fail(err, SG_E_BUSY, "hsmd has too many connections");
    return true;
}

/*
 * Joins the threads that have ended. Not detached: their last steps (OpenSSL's clean-up of a
 * thread) must not run into the end of the process.
 */
static void reap(struct sg_server *server)
{
    pthread_mutex_lock(&server->mutex);
    struct connection *c = server->finished;
    server->finished = NULL;
    pthread_mutex_unlock(&server->mutex);
    while (c) {
        struct connection *next = c->next;
        pthread_join(c->thread, NULL);
        free(c);
        c = next;
    }
}

static void connection_begin(struct sg_server *server, int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    struct sg_error err = {0};
    struct connection *c = NULL;
    pthread_mutex_lock(&server->mutex);
    bool ok = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
              may_connect(server, &peer, &err);
    if (ok) {
        c = calloc(1, sizeof *c);
        ok = c || sg_fail(&err, SG_E_NO_MEMORY, "out of memory");
    }
    if (ok) {
        *c = (struct connection){.server = server,
                                 .fd = fd,
                                 .uid = peer.uid,
                                 .pid = peer.pid,
                                 .next = server->connections};
        ok = pthread_create(&c->thread, NULL, connection_serve, c) == 0 ||
             sg_fail(&err, SG_E_BUSY, "hsmd cannot start a thread");
    }
    if (ok) {
        server->connections = c;
        server->count++;
    }
    pthread_mutex_unlock(&server->mutex);
    if (ok)
        return;
    free(c);
    sg_log_error(SG_LOG_WARNING, "hsm.turned-away", &err, "uid", sg_log_num(peer.uid), "pid",
                 sg_log_num(peer.pid), NULL);
    turn_away(fd, &err);
}

static void *accept_loop(void *arg)
{
    struct sg_server *server = arg;
    struct pollfd fds[2] = {{.fd = server->options.fd, .events = POLLIN},
                            {.fd = server->stop_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) <= 0)
            continue;
        if (fds[1].revents)
            return NULL;
        reap(server);
        int fd = accept4(server->options.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            connection_begin(server, fd);
        else
            poll(&fds[1], 1, 50); /* out of descriptors, say: do not spin */
    }
}

bool sg_server_start(const struct sg_server_options *options, struct sg_ops *ops,
                     const struct sg_access *access, struct sg_server **server_r,
                     struct sg_error *err)
{
    struct sg_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    server->options = *options;
    server->ops = ops;
    server->access = *access;
    pthread_mutex_init(&server->mutex, NULL);
    sg_cond_init(&server->ended);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (server->stop_fd < 0 || pthread_create(&server->acceptor, NULL, accept_loop, server) != 0) {
        sg_fail_errno(err, SG_E_IO, "cannot start the server");
        if (server->stop_fd >= 0)
            close(server->stop_fd);
        free(server);
        return false;
    }
    *server_r = server;
    return true;
}

void sg_server_access_set(struct sg_server *server, const struct sg_access *access)
{
    pthread_mutex_lock(&server->mutex);
    server->access = *access;
    pthread_mutex_unlock(&server->mutex);
}

void sg_server_answer_overdue(struct sg_server *server)
{
    struct sg_error err = {0};
    sg_fail(&err, SG_E_HSM_UNAVAILABLE, "the HSM did not answer in time");
    pthread_mutex_lock(&server->mutex);
    int64_t now = sg_clock_monotonic_ms();
    for (struct connection *c = server->connections; c; c = c->next) {
        int working = WORKING;
        if (atomic_load(&c->phase) != WORKING || now <= c->deadline ||
            !atomic_compare_exchange_strong(&c->phase, &working, OVERDUE))
            continue;
        sg_hsm_count(c->op, &err, c->began_us);
        sg_hsm_count_unanswered();
        sg_log_error(SG_LOG_WARNING, "hsm.overdue", &err, "uid", sg_log_num(c->uid), "operation",
                     sg_hsm_op_name(c->op), NULL);
        error_send(c->fd, &err);
        shutdown(c->fd, SHUT_RDWR);
        server->overdue++;
        pthread_cond_signal(&server->ended);
    }
    pthread_mutex_unlock(&server->mutex);
}

bool sg_server_stop(struct sg_server *server, int64_t timeout_ms)
{
    uint64_t one = 1;
    sg_deadline deadline = sg_deadline_in(timeout_ms);
    bool ok = true;
    if (write(server->stop_fd, &one, sizeof one) != sizeof one)
        return false;
    pthread_join(server->acceptor, NULL);
    close(server->options.fd);
    pthread_mutex_lock(&server->mutex);
    while (ok && server->count > server->overdue)
        ok = sg_cond_wait(&server->ended, &server->mutex, deadline);
    ok = server->count == 0;
    pthread_mutex_unlock(&server->mutex);
    reap(server);
    return ok; /* else threads still look at it */
}

void sg_server_free(struct sg_server **server_p)
{
    struct sg_server *server = *server_p;
    close(server->stop_fd);
    pthread_cond_destroy(&server->ended);
    pthread_mutex_destroy(&server->mutex);
    free(server);
    *server_p = NULL;
}
