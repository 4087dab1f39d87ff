/*
 * The dry run's door (simulate.h of the pipeline): HTTP on a Unix socket that apid's group may
 * reach. POST /simulate   a request (request.h); 200 with the plans, 400 or 503 with
 *                      {"error": "INVALID", "detail": "…"}: a name of errors.def
 * Nobody is asked who he is: apid has asked, and names the tenant.
 */
#ifndef SG_SIMULATE_SERVER_H
#define SG_SIMULATE_SERVER_H

#include "pipeline/gateway.h"

struct sg_simulate_options {
    const char *listen; /* unix:PATH; "": not served */
    int at_once;        /* dry runs at a time; further ones wait */
    size_t max_recipients;
    struct sg_gateway *gw;
};

struct sg_simulate_server;

SG_MUST_USE bool sg_simulate_start(const struct sg_simulate_options *options,
                                   struct sg_simulate_server **server_r, struct sg_error *err);
/* Waits for requests in progress. */
void sg_simulate_stop(struct sg_simulate_server **server);

#endif
