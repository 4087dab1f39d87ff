#include "hsmclient/connections.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sg_hsm_connections {
    char *socket;
    int64_t timeout_ms;
    int max;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    int open, idle_count; /* open includes the idle ones */
    int *idle;            /* a stack: the last used is the likeliest to be alive */
};

struct sg_hsm_connections *sg_hsm_connections_new(const struct sg_hsm_options *options)
{
    struct sg_hsm_connections *c = calloc(1, sizeof *c);
    pthread_condattr_t attr;
    if (!c)
        abort();
    c->max = options->connections > 0 ? options->connections : 1;
    c->timeout_ms = options->timeout_ms;
    c->socket = strdup(options->socket);
    c->idle = calloc((size_t)c->max, sizeof *c->idle);
    if (!c->socket || !c->idle)
        abort();
    pthread_mutex_init(&c->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->freed, &attr);
    pthread_condattr_destroy(&attr);
    return c;
}

/* With the mutex held. */
static void idle_close(struct sg_hsm_connections *c)
{
    while (c->idle_count > 0) {
        close(c->idle[--c->idle_count]);
        c->open--;
    }
    pthread_cond_broadcast(&c->freed);
}

void sg_hsm_connections_free(struct sg_hsm_connections **connections)
{
    struct sg_hsm_connections *c = *connections;
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    idle_close(c);
    pthread_mutex_unlock(&c->mutex);
    pthread_cond_destroy(&c->freed);
    pthread_mutex_destroy(&c->mutex);
    free(c->idle);
    free(c->socket);
    free(c);
    *connections = NULL;
}

static struct timespec timespec_of(sg_deadline deadline)
{
    return (struct timespec){.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
}

/* Takes an idle connection (*fd_r ≥ 0) or the right to open one (*fd_r -1). */
static bool slot_get(struct sg_hsm_connections *c, sg_deadline deadline, int *fd_r,
                     struct sg_error *err)
{
    struct timespec until = timespec_of(deadline);
    bool ok = true;
    pthread_mutex_lock(&c->mutex);
    while (ok && c->idle_count == 0 && c->open == c->max)
        ok = pthread_cond_timedwait(&c->freed, &c->mutex, &until) == 0 || c->idle_count > 0 ||
             c->open < c->max;
    if (ok && c->idle_count > 0) {
        *fd_r = c->idle[--c->idle_count];
    } else if (ok) {
        *fd_r = -1;
        c->open++;
    }
    pthread_mutex_unlock(&c->mutex);
    return ok || sg_fail(err, SG_E_BUSY, "all %d connections to hsmd are in use", c->max);
}

/* Gives a connection back, or with fd -1 the right to have one. stale: so are all that lie idle. */
static void slot_put(struct sg_hsm_connections *c, int fd, bool stale)
{
    pthread_mutex_lock(&c->mutex);
    if (stale)
        idle_close(c);
    if (fd >= 0)
        c->idle[c->idle_count++] = fd;
    else
        c->open--;
    pthread_cond_signal(&c->freed);
    pthread_mutex_unlock(&c->mutex);
}

static bool talk(int fd, struct sg_bytes frame, uint8_t *buf, struct sg_bytes *body_r,
                 sg_deadline deadline, struct sg_error *err)
{
    struct sg_error why = {0};
    /* hsmd may have refused us and closed before it read anything: its reply is there all the same
     */
    bool sent = sg_io_write_full(fd, frame.data, frame.len, deadline, &why);
    if (!sent && why.code == SG_E_TIMEOUT)
        return sg_fail(err, SG_E_TIMEOUT, "hsmd took no request in time");
    if (!sg_io_wait(fd, POLLIN, deadline, err) || /* it takes longer than to look */
        !sg_hsm_frame_read(fd, buf, body_r, deadline, err))
        return false;
    return body_r->len > 0 || sg_fail(err, SG_E_IO, "hsmd closed the connection");
}

bool sg_hsm_exchange(struct sg_hsm_connections *c, struct sg_bytes frame, uint8_t *buf,
                     struct sg_bytes *body_r, struct sg_error *err)
{
    sg_deadline deadline = sg_deadline_in(c->timeout_ms);
    for (bool retried = false;; retried = true) {
        struct sg_error why = {0};
        int fd;
        if (!slot_get(c, deadline, &fd, err))
            return false;
        bool fresh = fd < 0;
        if (fresh && !sg_io_connect(c->socket, deadline, &fd, &why)) {
            slot_put(c, -1, true);
            return sg_fail(err, SG_E_HSM_UNAVAILABLE, "hsmd: %s", why.detail);
        }
        if (talk(fd, frame, buf, body_r, deadline, &why)) {
            slot_put(c, fd, false);
            return true;
        }
        close(fd);
        /* Repeating is safe: every operation may be done twice. */
        bool again = !fresh && !retried && why.code == SG_E_IO;
        slot_put(c, -1, why.code == SG_E_IO);
        if (!again)
            return sg_fail(err,
                           why.code == SG_E_HSM_PROTOCOL ? SG_E_HSM_PROTOCOL : SG_E_HSM_UNAVAILABLE,
                           "hsmd: %s", why.detail);
    }
}
