#include "schema/conn.h"

#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS   1000
#define PROBE_MS         15000 /* a silent connection is asked whether it is still there */

struct sg_db_listener {
    struct sg_db_options options;
    const char *const *channels;
    sg_db_listen_fn fn;
    void *ctx;
    pthread_t thread;
    int stop_fd;
};

/* Waits for the socket or the stop. Returns false for the stop. */
static bool wait_for(struct sg_db_listener *l, int fd, int timeout_ms, bool *readable_r)
{
    struct pollfd fds[2] = {{.fd = l->stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int n = poll(fds, fd < 0 ? 1 : 2, timeout_ms);
    *readable_r = n > 0 && fd >= 0 && fds[1].revents;
    return !(n > 0 && fds[0].revents);
}

static bool subscribe(struct sg_db_listener *l, struct sg_conn *conn, struct sg_error *err)
{
    for (int i = 0; l->channels[i]; i++) {
        char sql[96];
        char *name = PQescapeIdentifier(conn->pg, l->channels[i], strlen(l->channels[i]));
        snprintf(sql, sizeof sql, "LISTEN %s", name ? name : "");
        PQfreemem(name);
        if (!sg_conn_script(conn, sql, err))
            return false;
    }
    return true;
}

static void hand_over(struct sg_db_listener *l, struct sg_conn *conn)
{
    PGnotify *note;
    while ((note = PQnotifies(conn->pg))) {
        l->fn(l->ctx, note->relname, note->extra);
        PQfreemem(note);
    }
}

/* Until the connection is lost (true) or the stop (false). */
static bool serve(struct sg_db_listener *l, struct sg_conn *conn)
{
    for (;;) {
        bool readable;
        struct sg_error err = {0};
        hand_over(l, conn);
        if (!wait_for(l, PQsocket(conn->pg), PROBE_MS, &readable))
            return false;
        if (readable ? !PQconsumeInput(conn->pg) : !sg_conn_script(conn, "SELECT 1", &err))
            return true;
    }
}

static void *run(void *arg)
{
    struct sg_db_listener *l = arg;
    int64_t backoff = 0;
    bool going = true;
    while (going) {
        struct sg_conn *conn = NULL;
        struct sg_error err = {0};
        bool readable;
        if (sg_conn_open(&l->options, &conn, &err) && subscribe(l, conn, &err)) {
            backoff = 0;
            l->fn(l->ctx, NULL, NULL);
            going = serve(l, conn);
        } else if (backoff == 0) {
            sg_log_error(SG_LOG_WARNING, "database.listener-away", &err, NULL);
        }
        sg_conn_close(&conn);
        if (!going)
            break;
        backoff = backoff ? backoff * 2 : BACKOFF_FIRST_MS;
        if (backoff > BACKOFF_MAX_MS)
            backoff = BACKOFF_MAX_MS;
        going = wait_for(l, -1, (int)backoff, &readable);
    }
    return NULL;
}

static void listener_free(struct sg_db_listener *l)
{
    if (l->stop_fd >= 0)
        close(l->stop_fd);
    free((char *)l->options.conninfo);
    free((char *)l->options.password_file);
    free((char *)l->options.application);
    free(l);
}

bool sg_db_listen(const struct sg_db_options *options, const char *const *channels,
                  sg_db_listen_fn fn, void *ctx, struct sg_db_listener **listener_r,
                  struct sg_error *err)
{
    struct sg_db_listener *l = calloc(1, sizeof *l);
    if (!l)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    l->options = *options;
    l->options.conninfo = strdup(options->conninfo);
    l->options.password_file = options->password_file ? strdup(options->password_file) : NULL;
    l->options.application = strdup(options->application);
    l->options.actor = NULL;
    l->channels = channels;
    l->fn = fn;
    l->ctx = ctx;
    l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = l->stop_fd < 0 ? errno : pthread_create(&l->thread, NULL, run, l);
    if (rc != 0) {
        listener_free(l);
        errno = rc;
        return sg_fail_errno(err, SG_E_IO, "cannot start the listener");
    }
    *listener_r = l;
    return true;
}

void sg_db_listen_stop(struct sg_db_listener **listener)
{
    struct sg_db_listener *l = *listener;
    if (!l)
        return;
    uint64_t one = 1;
    ssize_t written = write(l->stop_fd, &one, sizeof one);
    if (written != sizeof one)
        abort();
    pthread_join(l->thread, NULL);
    listener_free(l);
    *listener = NULL;
}
