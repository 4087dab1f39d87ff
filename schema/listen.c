#include "schema/conn.h"
#include "schema/query_cache.h"

#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS   1000
#define PROBE_MS         15000 /* a silent connection is asked whether it is still there */
#define NODE_MS          3000  /* more than a process that ended needs until its session has */

struct sg_db_listener {
    struct sg_db_options options;
    const char *const *channels;
    sg_db_listen_fn fn;
    void *ctx;
    struct sg_query_cache *cache; /* NULL: none */
    pthread_t thread;
    int stop_fd;
    bool alone;      /* this session has the node's name */
    int64_t node_at; /* when it is asked for next */
    int node_refused;
};

static struct sg_metric twice = {
    .name = "sealgate_node_named_twice",
    .help = "Another one with this node's name is connected to the database (1).",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
struct sg_metric *const sg_node_metrics[] = {&twice, NULL};

enum woken { WOKEN_STOP, WOKEN_READABLE, WOKEN_LOST, WOKEN_TIME };

/* Waits for the stop, the socket, or the loss of the cache's connection. */
static enum woken wait_for(struct sg_db_listener *l, int fd, int timeout_ms)
{
    /* poll() passes over what is below 0 */
    struct pollfd fds[3] = {
        {.fd = l->stop_fd, .events = POLLIN},
        {.fd = fd, .events = POLLIN},
        {.fd = fd >= 0 && l->cache ? sg_query_cache_lost_fd(l->cache) : -1, .events = POLLIN}};
    int n = poll(fds, 3, timeout_ms);
    return n <= 0           ? WOKEN_TIME
           : fds[0].revents ? WOKEN_STOP
           : fds[1].revents ? WOKEN_READABLE
                            : WOKEN_LOST;
}

static bool subscribe_to(const char *channel, struct sg_conn *conn, struct sg_error *err)
{
    char sql[96];
    char *name = PQescapeIdentifier(conn->pg, channel, strlen(channel));
    snprintf(sql, sizeof sql, "LISTEN %s", name ? name : "");
    PQfreemem(name);
    return sg_conn_script(conn, sql, err);
}

static bool subscribe(struct sg_db_listener *l, struct sg_conn *conn, struct sg_error *err)
{
    for (int i = 0; l->channels[i]; i++)
        if (!subscribe_to(l->channels[i], conn, err))
            return false;
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

/* Is the server still there? The cache's connection is asked too: so its notifications are fetched
 * where there is no mail. */
static bool probe(struct sg_db_listener *l, struct sg_conn *conn)
{
    struct sg_error err = {0};
    if (l->cache)
        sg_query_cache_fresh(l->cache);
    return sg_conn_script(conn, "", &err);
}

/* The connection by which the cache learns what is new. */
static bool cache_connect(struct sg_db_listener *l, struct sg_conn *other, struct sg_error *err)
{
    struct sg_conn *conn = NULL;
    if (!l->cache)
        return true;
    if (!sg_query_cache_poll(l->cache, other, err) || !sg_conn_open(&l->options, &conn, err))
        return false;
    conn->call_ms = l->options.wait_ms;
    if (!subscribe_to(SG_ROW_CHANNEL, conn, err)) {
        sg_conn_close(&conn);
        return false;
    }
    sg_query_cache_connected(l->cache, conn);
    return true;
}

static void cache_disconnect(struct sg_db_listener *l)
{
    struct sg_conn *conn = l->cache ? sg_query_cache_disconnect(l->cache) : NULL;
    sg_conn_close(&conn);
}

static bool node_ask(struct sg_db_listener *l, struct sg_conn *conn, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, l->options.node);
    if (!sg_conn_query(conn, SG_Q_NODE_LOCK, &p, &rows, err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    l->alone = sg_row_bool(&r);
    const char *address = sg_row_text(&r), *since = sg_row_text(&r);
    if (!sg_row_end(&r, err))
        return false;
    l->node_at = sg_clock_monotonic_ms() + NODE_MS;
    l->node_refused += !l->alone;
    if (l->node_refused == 2 && !l->alone)
        sg_log(SG_LOG_WARNING, "node.named-twice", "node", l->options.node, "other_address",
               address, "other_since", since, NULL);
    if (l->alone && l->node_refused > 1)
        sg_log(SG_LOG_INFO, "node.alone", "node", l->options.node, NULL);
    sg_metric_set(&twice, 0, 0, !l->alone && l->node_refused > 1);
    return true;
}

static bool node_wanted(const struct sg_db_listener *l)
{
    return l->options.node && !l->alone;
}

/* Does what is due by now; false: the connection is lost. */
static bool due(struct sg_db_listener *l, struct sg_conn *conn, int64_t *probe_at)
{
    struct sg_error err = {0};
    int64_t now = sg_clock_monotonic_ms();
    if (l->cache && sg_query_cache_poll_in(l->cache) == 0 &&
        !sg_query_cache_poll(l->cache, conn, &err)) {
        sg_log_error(SG_LOG_WARNING, "database.changes-not-counted", &err, NULL);
        return false;
    }
    if (node_wanted(l) && now >= l->node_at && !node_ask(l, conn, &err)) {
        sg_log_error(SG_LOG_WARNING, "database.node-not-known", &err, NULL);
        return false;
    }
    if (now < *probe_at)
        return true;
    *probe_at = now + PROBE_MS;
    return probe(l, conn);
}

static int wait_until(const struct sg_db_listener *l, int64_t probe_at)
{
    int64_t next = node_wanted(l) && l->node_at < probe_at ? l->node_at : probe_at;
    int64_t left = next - sg_clock_monotonic_ms();
    int poll_in = l->cache ? sg_query_cache_poll_in(l->cache) : PROBE_MS;
    return left < 0 ? 0 : left < poll_in ? (int)left : poll_in;
}

/* Until a connection is lost (true) or the stop (false). */
static bool serve(struct sg_db_listener *l, struct sg_conn *conn)
{
    int64_t probe_at = sg_clock_monotonic_ms() + PROBE_MS;
    l->alone = false;
    l->node_at = l->node_refused = 0;
    for (;;) {
        if (!due(l, conn, &probe_at))
            return true;
        hand_over(l, conn);
        switch (wait_for(l, PQsocket(conn->pg), wait_until(l, probe_at))) {
        case WOKEN_STOP:
            return false;
        case WOKEN_READABLE:
            if (!PQconsumeInput(conn->pg))
                return true;
            break;
        case WOKEN_LOST:
            return true;
        default:
            break;
        }
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
        if (sg_conn_open(&l->options, &conn, &err) && subscribe(l, conn, &err) &&
            cache_connect(l, conn, &err)) {
            backoff = 0;
            l->fn(l->ctx, NULL, NULL);
            going = serve(l, conn);
            cache_disconnect(l);
        } else if (backoff == 0) {
            sg_log_error(SG_LOG_WARNING, "database.listener-away", &err, NULL);
        }
        sg_conn_close(&conn);
        if (!going)
            break;
        backoff = backoff ? backoff * 2 : BACKOFF_FIRST_MS;
        if (backoff > BACKOFF_MAX_MS)
            backoff = BACKOFF_MAX_MS;
        going = wait_for(l, -1, (int)backoff) != WOKEN_STOP;
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
    free((char *)l->options.node);
    free(l);
}

bool sg_db_listen(const struct sg_db_options *options, const char *const *channels,
                  sg_db_listen_fn fn, void *ctx, struct sg_db *db,
                  struct sg_db_listener **listener_r, struct sg_error *err)
{
    struct sg_db_listener *l = calloc(1, sizeof *l);
    if (!l)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    l->options = *options;
    l->options.conninfo = strdup(options->conninfo);
    l->options.password_file = options->password_file ? strdup(options->password_file) : NULL;
    l->options.application = strdup(options->application);
    l->options.actor = NULL;
    l->options.node = options->node ? strdup(options->node) : NULL;
    l->channels = channels;
    l->fn = fn;
    l->ctx = ctx;
    l->cache = sg_db_query_cache(db);
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
