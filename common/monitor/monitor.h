/*
 * What a daemon tells its operators' tools, by HTTP on an address of its own ([ops] listen):
 *     GET /healthz   200 while the process lives and its threads make progress (watch.h), else 503
 *     GET /readyz    200 while it may take work; 503 says in JSON which part is away
 *     GET /metrics   Prometheus' text format
 * No secret, no tenant and no address is told, and nobody is asked who he is: the address is a
 * loopback one, the monitor's network, or a Unix socket.
 *
 * Parts are looked at by threads of their own, one each, so that one that hangs delays neither the
 * others nor an answer: an answer is what was seen last.
 */
#ifndef SG_MONITOR_MONITOR_H
#define SG_MONITOR_MONITOR_H

#include "common/config.h"
#include "common/metrics.h"

#include <sys/types.h>

struct sg_monitor_part {
    const char *name; /* "database" */
    bool (*check)(void *ctx, struct sg_error *err);
    void *ctx;
    int64_t every_ms; /* 0: 2 s */
    bool optional;    /* its being away is told, and does not make the daemon unready */
};

struct sg_monitor_options {
    const char *listen; /* "": nothing is served */
    mode_t socket_mode; /* of a Unix socket; 0: 0660 */
    const struct sg_monitor_part *parts;
    size_t part_count;
    /* Lists of metrics, each ended by NULL, and NULL behind the last. */
    struct sg_metric *const *const *metrics;
    void (*collect)(void *ctx); /* sets gauges before each answer; quick. May be NULL. */
    void *collect_ctx;
};

struct sg_monitor;

/* Copies the options but for what ctx and names point to. */
SG_MUST_USE bool sg_monitor_start(const struct sg_monitor_options *options,
                                  struct sg_monitor **monitor_r, struct sg_error *err);
/* From now on /readyz says "stopping". */
void sg_monitor_leave(struct sg_monitor *monitor);
/* Waits for checks in progress. */
void sg_monitor_stop(struct sg_monitor **monitor);

/* "inet:HOST:PORT" or "unix:/PATH" or "". */
SG_MUST_USE bool sg_monitor_address_check(const char *address, struct sg_error *err);

/* The row of a daemon's table of settings: SG_MONITOR_OPTION(AT(ops_listen)). */
#define SG_MONITOR_OPTION(offset)                                                                  \
    {                                                                                              \
        "ops", "listen", SG_OPT_STRING, offset, "", 0, 0, NULL,                                    \
            "Where /metrics, /healthz and /readyz are served: inet:ADDRESS:PORT or unix:PATH; "    \
            "empty: nowhere. Nobody is asked who he is."                                           \
    }

#endif
