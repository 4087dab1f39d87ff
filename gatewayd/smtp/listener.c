#include "smtp/listener.h"

#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKLOG            128
#define EXHAUSTED_PAUSE_MS 100 /* after accept() found no descriptor or memory */
#define TELL_MS            1000

struct listener_connection {
    struct listener *listener;
    struct listener_connection *next, *prev; /* in active; next alone in finished */
    pthread_t thread;                        /* of the acceptor and, after it, of stop */
    int fd;
    bool waiting;
};

struct tale {
    int64_t told_ms, count; /* when it was last logged, and how often it was since */
};

struct listener {
    struct listener_options options;
    struct tale full, exhausted; /* of the acceptor */
    int fd, wake;
    pthread_t acceptor;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t ended; /* a connection did */
    bool stopping;
    int count; /* of active */
    struct listener_connection *active, *finished;
};

static void active_add(struct listener *l, struct listener_connection *c)
{
    c->next = l->active;
    if (c->next)
        c->next->prev = c;
    l->active = c;
    l->count++;
}

static void active_remove(struct listener *l, struct listener_connection *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        l->active = c->next;
    if (c->next)
        c->next->prev = c->prev;
    l->count--;
}

static void *connection_main(void *arg)
{
    struct listener_connection *c = arg;
    struct listener *l = c->listener;
    l->options.serve(l->options.ctx, c, c->fd);
    pthread_mutex_lock(&l->lock);
    close(c->fd); /* under the lock: stop may be about to shut it down */
    active_remove(l, c);
    c->next = l->finished;
    l->finished = c;
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void reap(struct listener *l)
{
    pthread_mutex_lock(&l->lock);
    struct listener_connection *list = l->finished;
    l->finished = NULL;
    pthread_mutex_unlock(&l->lock);
    while (list) {
        struct listener_connection *c = list;
        list = c->next;
        pthread_join(c->thread, NULL);
        free(c);
    }
}

/* Whoever comes again and again does not fill the log too. */
static bool tell_now(struct tale *tale)
{
    int64_t now = sg_clock_monotonic_ms();
    tale->count++;
    if (tale->told_ms && now - tale->told_ms < TELL_MS)
        return false;
    tale->told_ms = now;
    return true;
}

static void refuse(struct listener *l, int fd)
{
    if (tell_now(&l->full)) {
        sg_log(SG_LOG_WARNING, "listener.full", "listener", l->options.name, "connections",
               sg_log_num(l->full.count), NULL);
        l->full.count = 0;
    }
    const char *text = l->options.refusal;
    if (text && send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        sg_log(SG_LOG_DEBUG, "listener.refusal-lost", "listener", l->options.name, NULL);
    close(fd);
}

static void admit(struct listener *l, int fd)
{
    struct listener_connection *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->listener = l;
    c->fd = fd;
    pthread_mutex_lock(&l->lock);
    bool full = l->count >= l->options.max_connections;
    bool ok = !full && !l->stopping;
    if (ok)
        active_add(l, c);
    pthread_mutex_unlock(&l->lock);
    if (ok && pthread_create(&c->thread, NULL, connection_main, c) == 0)
        return;
    if (ok) {
        pthread_mutex_lock(&l->lock);
        active_remove(l, c);
        pthread_cond_broadcast(&l->ended);
        pthread_mutex_unlock(&l->lock);
    }
    free(c);
    refuse(l, fd);
}

static bool stopping(struct listener *l)
{
    pthread_mutex_lock(&l->lock);
    bool yes = l->stopping;
    pthread_mutex_unlock(&l->lock);
    return yes;
}

static void *acceptor_main(void *arg)
{
    struct listener *l = arg;
    int pause_ms = -1;
    while (!stopping(l)) {
        struct pollfd p[2] = {{.fd = l->wake, .events = POLLIN}, {.fd = l->fd, .events = POLLIN}};
        if (poll(p, pause_ms < 0 ? 2 : 1, pause_ms) < 0 && errno != EINTR)
            break;
        pause_ms = -1;
        reap(l);
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(l, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            struct sg_error err = {0};
            sg_fail_errno(&err, SG_E_IO, "cannot accept");
            if (tell_now(&l->exhausted))
                sg_log_error(SG_LOG_ERROR, "listener.exhausted", &err, "listener", l->options.name,
                             NULL);
            pause_ms = EXHAUSTED_PAUSE_MS;
        }
    }
    return NULL;
}

static void listener_free(struct listener **listener)
{
    struct listener *l = *listener;
    if (l->fd >= 0)
        close(l->fd);
    if (l->wake >= 0)
        close(l->wake);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->ended);
    free(l);
    *listener = NULL;
}

bool listener_start(const struct listener_options *options, struct listener **listener_r,
                    struct sg_error *err)
{
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->options = *options;
    l->fd = -1;
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_condattr_t monotonic;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    bool ok = (l->wake >= 0 || sg_fail_errno(err, SG_E_IO, "eventfd")) &&
              sg_io_listen(options->address, options->mode, BACKLOG, &l->fd, err);
    if (ok && pthread_create(&l->acceptor, NULL, acceptor_main, l) != 0)
        ok = sg_fail(err, SG_E_NO_MEMORY, "no thread for %s", options->name);
    if (!ok)
        listener_free(&l);
    *listener_r = l;
    return ok;
}

static void wait_for_all(struct listener *l, int64_t grace_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += grace_ms / 1000;
    until.tv_nsec += grace_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (l->active && pthread_cond_timedwait(&l->ended, &l->lock, &until) == 0)
        ;
    for (struct listener_connection *c = l->active; c; c = c->next) {
        sg_log(SG_LOG_WARNING, "listener.cut", "listener", l->options.name, NULL);
        shutdown(c->fd, SHUT_RDWR);
    }
    while (l->active)
        pthread_cond_wait(&l->ended, &l->lock);
}

void listener_stop_begin(struct listener *l)
{
    if (l->fd < 0)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    for (struct listener_connection *c = l->active; c; c = c->next)
        if (c->waiting)
            shutdown(c->fd, SHUT_RD);
    pthread_mutex_unlock(&l->lock);
    uint64_t one = 1;
    if (write(l->wake, &one, sizeof one) != sizeof one)
        sg_log(SG_LOG_DEBUG, "listener.wake", NULL); /* it is awake already */
    pthread_join(l->acceptor, NULL);
    close(l->fd);
    l->fd = -1;
}

void listener_stop(struct listener **listener, int64_t grace_ms)
{
    struct listener *l = *listener;
    if (!l)
        return;
    listener_stop_begin(l);
    pthread_mutex_lock(&l->lock);
    wait_for_all(l, grace_ms);
    pthread_mutex_unlock(&l->lock);
    reap(l);
    listener_free(listener);
}

bool listener_wait_begin(struct listener_connection *connection)
{
    struct listener *l = connection->listener;
    pthread_mutex_lock(&l->lock);
    connection->waiting = !l->stopping;
    bool go_on = connection->waiting;
    pthread_mutex_unlock(&l->lock);
    return go_on;
}

void listener_wait_end(struct listener_connection *connection)
{
    struct listener *l = connection->listener;
    pthread_mutex_lock(&l->lock);
    connection->waiting = false;
    pthread_mutex_unlock(&l->lock);
}

bool listener_stopping(struct listener_connection *connection)
{
    return stopping(connection->listener);
}
