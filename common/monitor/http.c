#include "monitor/monitor_internal.h"

#include "common/log.h"
#include "common/watch.h"

#include <microhttpd.h>
#include <unistd.h>

#define CONNECTIONS  512 /* at a time: slow ones must not keep the monitor out */
#define IDLE_S       5
#define MEMORY_BYTES 8192
#define REPLY_BYTES  (1 << 20)
#define SOCKET_MODE  0660

/* The JSON of /healthz; true: all threads make progress. */
static bool health_write(struct sg_buf *out)
{
    struct sg_watch_state states[SG_WATCH_NAMES];
    int count = sg_watch_states(states);
    bool ok = true;
    for (int i = 0; i < count; i++)
        ok &= states[i].stuck == 0;
    sg_buf_addf(out, "{\"status\":\"%s\",\"threads\":[", ok ? "ok" : "stuck");
    for (int i = 0; i < count; i++) {
        sg_buf_addf(out, "%s{\"name\":", i ? "," : "");
        sg_buf_add_json_string(out, sg_bytes_str(states[i].name));
        sg_buf_addf(out, ",\"count\":%d,\"busy\":%d,\"stuck\":%d,\"longest_ms\":%lld}",
                    states[i].threads, states[i].busy, states[i].stuck,
                    (long long)states[i].longest_ms);
    }
    sg_buf_adds(out, "]}\n");
    return ok;
}

static void metrics_write(struct sg_monitor *m, struct sg_buf *out)
{
    SG_AUTO_BUF parts;
    struct sg_metric *const up[] = {&m->up, NULL};
    sg_buf_init(&parts, 0);
    sg_parts_write(m, &parts); /* for the metric */
    sg_process_collect();
    if (m->options.collect)
        m->options.collect(m->options.collect_ctx);
    sg_metrics_write(out, sg_process_metrics);
    if (m->options.part_count > 0)
        sg_metrics_write(out, up);
    for (size_t i = 0; m->options.metrics && m->options.metrics[i]; i++)
        sg_metrics_write(out, m->options.metrics[i]);
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct sg_buf *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (status == 405)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    static int begun;
    struct sg_monitor *m = cls;
    const char *type = "application/json";
    unsigned status = 200;
    (void)version, (void)data;
    if (!*con_cls) { /* the headers alone are there */
        *con_cls = &begun;
        return MHD_YES;
    }
    if (*size > 0)
        return MHD_NO; /* nothing here takes a body */
    SG_AUTO_BUF body;
    sg_buf_init(&body, REPLY_BYTES);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        status = 405;
        sg_buf_adds(&body, "{\"status\":\"GET alone\"}\n");
    } else if (strcmp(url, "/healthz") == 0) {
        status = health_write(&body) ? 200 : 503;
    } else if (strcmp(url, "/readyz") == 0) {
        status = sg_parts_write(m, &body) ? 200 : 503;
    } else if (strcmp(url, "/metrics") == 0) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_write(m, &body);
    } else {
        status = 404;
        sg_buf_adds(&body, "{\"status\":\"/healthz, /readyz or /metrics\"}\n");
    }
    return reply(connection, body.overflown ? 500 : status, type, &body);
}

bool sg_monitor_http_start(struct sg_monitor *m, struct sg_error *err)
{
    int fd;
    const char *listen = m->options.listen;
    mode_t mode = m->options.socket_mode ? m->options.socket_mode : SOCKET_MODE;
    if (!sg_io_listen(listen, mode, SOMAXCONN, &fd, err))
        return false;
    m->http =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, m,
                         MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_END);
    if (!m->http) {
        sg_fail_errno(err, SG_E_IO, "no HTTP server on %s", listen);
        close(fd);
        return false;
    }
    sg_log(SG_LOG_INFO, "ops.listening", "on", listen, NULL);
    return true;
}

void sg_monitor_http_stop(struct sg_monitor *m)
{
    if (m->http)
        MHD_stop_daemon(m->http); /* closes the listening socket too */
    m->http = NULL;
}
