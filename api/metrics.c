#include "api/metrics.h"

#include <stdio.h>
#include <stdlib.h>

enum { CLASSES = 5, POOLS = 3 };

static const char *const classes[] = {"none", "2xx", "3xx", "4xx", "5xx", NULL};
static const char *const pools[] = {"auth", "api", "provider", NULL};
static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "other", NULL};
#define METHODS 6

static struct sg_metric requests = {
    .name = "sealgate_api_requests_total",
    .help = "Requests by route and class of the status; none: the client went away.",
    .labels = {"route", "class"},
    .values = {NULL, classes},
};
static struct sg_metric seconds = {
    .name = "sealgate_api_route_seconds_total",
    .help = "Time spent on the requests of a route.",
    .unit = 1000000,
    .labels = {"route"},
};
static struct sg_metric latency = {
    .name = "sealgate_api_request_seconds",
    .help = "How long requests took, from their headers to the end of the answer.",
    .type = SG_HISTOGRAM,
    .unit = 1000000,
    .labels = {"method"},
    .values = {methods},
    .bounds = sg_seconds_bounds,
    .cells = SG_CELLS(METHODS * (SG_SECONDS_BOUNDS + 2)),
    .cell_count = METHODS * (SG_SECONDS_BOUNDS + 2),
};
static struct sg_metric limited = {
    .name = "sealgate_api_rate_limited_total",
    .help = "Requests that were refused because their sender asks too often.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric connections = {
    .name = "sealgate_database_connections",
    .help = "Connections to PostgreSQL by pool; waiting: threads that want one.",
    .type = SG_GAUGE,
    .labels = {"pool", "state"},
    .values = {pools, sg_db_states},
    .cells = SG_CELLS(POOLS * SG_DB_STATES),
    .cell_count = POOLS * SG_DB_STATES,
};

struct sg_metric *const api_metrics[] = {&requests, &seconds,     &latency,
                                         &limited,  &connections, NULL};

void api_metrics_init(void)
{
    size_t count = api_route_count + 1; /* and "other", for paths that are none */
    char **labels = calloc(count + 1, sizeof *labels);
    requests.cells = calloc(count * CLASSES, sizeof *requests.cells);
    seconds.cells = calloc(count, sizeof *seconds.cells);
    if (!labels || !requests.cells || !seconds.cells)
        abort();
    for (size_t i = 0; i < api_route_count; i++)
        if (asprintf(&labels[i], "%s %s", api_routes[i].method, api_routes[i].pattern) < 0)
            abort();
    if (!(labels[api_route_count] = strdup("other")))
        abort();
    requests.values[0] = seconds.values[0] = (const char *const *)labels;
    requests.cell_count = count * CLASSES;
    seconds.cell_count = count;
}

void api_metrics_request(const struct api_route *route, int status, int64_t began_us)
{
    size_t place = route ? (size_t)(route - api_routes) : api_route_count;
    int64_t took = sg_metric_now() - began_us;
    sg_metric_add(&requests, place, status >= 200 && status < 600 ? (size_t)status / 100 - 1 : 0,
                  1);
    sg_metric_add(&seconds, place, 0, took);
    sg_metric_observe(&latency, sg_metric_value(methods, route ? route->method : NULL), 0, took);
    if (status == 429)
        sg_metric_add(&limited, 0, 0, 1);
}

void api_metrics_collect(struct api_service *service)
{
    struct sg_db *const all[POOLS] = {service->auth, service->api, service->provider};
    for (size_t i = 0; i < POOLS; i++)
        sg_db_usage(all[i], &connections, i);
}
